"""Plans by measurement: which way of running a time loop is the fastest here, found while it runs.

No plan changes a bit of any result, so calls that are made anyway can be run in one way after
another and timed, and nobody sees a difference. `candidates` lists the plans that fit some sizes,
the rule's first. `search` compares them over the first calls of those sizes. `tuner` remembers the
fastest, watches whether it stays so (`monitor`), and searches again when the machine became busy
or quiet. `slot` lets one call at a time be a trial. `registry` holds the tuners of a process, and
`store` keeps what they found on disk. `switch` turns all that off, and then the rules stand.
"""
