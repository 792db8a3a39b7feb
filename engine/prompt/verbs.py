"""What verbs are called: their letters, what users of pdb and gdb type for them, and what is said of verbs not here.

Next: arguments.py.
"""

from __future__ import annotations

ALIASES = {  # what may be typed, and the verb that it is; a verb's own letter comes first
    "s": "step", "si": "step", "stepi": "step",
    "sb": "back", "rs": "back", "reverse-step": "back", "rsi": "back", "reverse-stepi": "back",
    "n": "next", "ni": "next", "nexti": "next",
    "nb": "previous", "rn": "previous", "reverse-next": "previous", "reverse-finish": "previous",
    "c": "continue", "cont": "continue",
    "cb": "reverse", "rc": "reverse", "reverse-continue": "reverse",
    "r": "finish", "return": "finish",
    "advance": "until",
    "j": "jump", "goto": "jump",
    "restart": "start",
    "b": "break", "breakpoint": "break", "tb": "tbreak",
    "delete": "clear", "cl": "clear",
    "w": "where", "bt": "where", "backtrace": "where", "frame": "where",
    "l": "list", "ll": "longlist",
    "a": "args",
    "u": "up", "d": "down",
    "print": "p", "inspect": "p", "call": "p", "ptype": "whatis",
    "cp": "checkpoint",
    "h": "help", "q": "quit", "exit": "quit",
}  # fmt: skip

# A node or a variable of these names is meant before the verb, which has a longer name too.
YIELDING = {"a", "l", "ll", "r", "j", "bt", "tb", "rs", "rn", "rc", "si", "ni", "rsi", "cl", "cp", "pp"}

INSTEAD = {  # verbs of pdb and gdb that are none here
    "alias": "there are no aliases here: what is typed may be Python, so def f(): … makes a command of your own",
    "unalias": "there are no aliases here; help lists the verbs",
    "interact": "this prompt is Python already: what is no verb is run",
    "source": "debug(E, open(file)) runs the commands in a file",
    "debug": "debug(E) is a prompt over another graph; p shows the value of an expression",
    "retval": "a node returns its data: p node.data",
    "rv": "a node returns its data: p node.data",
    "exceptions": "there is no exception to look at; help lists the verbs",
    "silent": "silent stands among the commands of a break, which then shows nothing else",
    "kill": "q leaves, and puts all gradients back as they were",
    "record": "the pass is recorded from the start: sb, nb and cb go back",
    "when": "p position is how many steps are made",
    "attach": "debug(E) is the only way in; help lists the verbs",
    "thread": "there is one pass and no thread; help lists the verbs",
    "layout": "draw writes a picture of this moment, film a page of the pass",
    "tui": "draw writes a picture of this moment, film a page of the pass",
    "x": "p shows a node, as in p w.grad",
    "show": "info shows breaks, displays and checkpoints; where and list show the graph",
    "catch": "b if CONDITION stops where something is true; help lists the verbs",
    "shell": "what is no verb is run as Python; help lists the verbs",
}
