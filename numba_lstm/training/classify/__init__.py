"""The kind of run of ``train classify``: one label for each sequence."""
