"""The kind of run of ``train forecast``: the next steps of time series."""
