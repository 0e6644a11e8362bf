"""Parameters, their versions and packed copies, products with them, and scratch memory."""
