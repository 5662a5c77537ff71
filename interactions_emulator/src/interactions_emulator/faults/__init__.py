"""Faults on demand: makes the server fail in the ways that real servers and networks fail.

A fault is a JSON object, `{"on": "stream", "cut_after": 4}`, or a name for one or more, `"accepted_then_404"`.
`help.py` describes the fields and `named.py` has the names. There are three ways to set faults:
    when the server starts
    at any time: `POST /_emulator/faults` adds a fault or a list of faults; `DELETE` removes all faults
    for one request, in its header `x-emulator-fault`: an object, where `on`, `times` and `skip` are optional and
    ignored, or a name

Only `zombie` changes the run itself. With any other fault the run continues, and a GET shows its state.
"""
