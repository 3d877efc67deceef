"""Runs many commands of an installed AWS CLI in one process, so that a hundred take seconds.

Started with the Python of the AWS CLI's own environment; it imports nothing of ours. A line in:
{"words": [...], "environment": {...}, "directory": "..."}; a line out:
{"stdout": "...", "stderr": "...", "exit": 0}.
"""

import contextlib
import copy
import functools
import importlib
import io
import json
import os
import random
import sys
import time
import warnings


def run(words, environment, directory):
    """One command with nothing but the environment given."""
    import awscli.clidriver

    own = {name: os.environ[name] for name in ("AWS_DATA_PATH",) if name in os.environ}
    os.environ.clear()
    os.environ.update({**own, **environment})
    os.chdir(directory)
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            code = _main(awscli.clidriver, words)
        except SystemExit as leaving:
            code = leaving.code or 0
        except Exception as error:  # a program of its own would end with a traceback
            stderr.write(f"{type(error).__name__}: {error}\n")
            code = 1
    return {"stdout": stdout.getvalue(), "stderr": stderr.getvalue(), "exit": code}


def _main(clidriver, words):
    if hasattr(clidriver, "AWSCLIEntryPoint"):
        sys.argv = ["aws", *words]
        return clidriver.main()
    return clidriver.create_clidriver().main(words)


def remember_files():
    """Read each of the client's own files once only: it would read them for every command."""
    importlib.import_module("awscli.clidriver")  # which loads the module we are after

    loaders = next(m for name, m in sys.modules.items() if name.endswith("botocore.loaders"))
    load = loaders.JSONFileLoader.load_file
    known = {}

    def load_once(self, path):
        if path not in known:
            known[path] = load(self, path)
        return copy.copy(known[path])

    loaders.JSONFileLoader.load_file = load_once
    os.listdir = functools.cache(os.listdir)


def main():
    warnings.simplefilter("ignore")
    time.sleep = lambda seconds: None  # retries do not wait
    random.choice = lambda choices: next(iter(choices))  # version 1 fills its samples at random
    sys.argv[0] = "aws"
    remember_files()
    answers = os.fdopen(os.dup(1), "w")  # standard output belongs to the commands
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        answers.write(json.dumps(run(**json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
