"""One call of a recurrent stack, from checked arguments to kernel calls and back."""
