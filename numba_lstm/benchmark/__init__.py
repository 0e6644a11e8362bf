"""How fast this library is on this machine, beside its peers: the engine of ``numba-lstm bench``.

`cases` says what is measured; `arrays` makes the numbers that every peer computes with; `ours`,
`torch_peer`, `onnx_peer` and `openvino_peer` do the computing, each in a `worker` process of its
own, which `isa` tells what instruction set to use; `engine` asks them in turn; `records` turns what
they answer into figures; `report` and `plot` show them.
"""
