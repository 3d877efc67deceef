"""The program `maskline`: `maskline serve` runs the service, every other command asks one."""

import signal
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command that the words name; the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["serve"] and not set(words) & {"help", "--help", "-h"}:
        # Python's own way is a traceback. The guard heeds it as soon as there is something to stop.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from maskline import daemon

        return daemon.main(words[1:])
    from maskline.cli import driver

    return driver.main(words)


if __name__ == "__main__":
    sys.exit(main())
