"""Forecasters that learn from windows of series: what ``train forecast`` and estimators share."""
