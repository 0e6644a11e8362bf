"""The kind of run of ``train lm``: a language model of a text."""
