"""How fast this library is on this machine, beside its peers: the engine of ``numba-lstm bench``.

`cases` says what is measured; `arrays` makes the numbers that every peer computes with; `ours`,
`torch_peer` and `onnx_peer` do the computing, each in a `worker` process of its own; `engine` asks
them in turn; `records` turns what they answer into figures; `report` and `plot` show them.
"""
