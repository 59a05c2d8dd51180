"""Completion in bash: words as `ot` sees them. Imported only when a shell asks for completions.

bash parts words at ``=``, ``:`` and ``@`` too, which stand inside overrides and keys, and puts a
space after what it completes, which would end an override before its value. The script and the
class here replace click's own for bash.
"""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, add_completion_class, split_arg_string

_SCRIPT = """\
%(complete_func)s() {
    local IFS=$'\\n' completion type value
    for completion in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" \\
            COMP_WORDBREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
        if [[ $value == *= ]]; then compopt -o nospace; fi
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(BashComplete):
    """What the script asks for: the line up to the cursor goes in, the rest of a word comes out."""

    source_template = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is being typed, and that one."""
        if "COMP_LINE" not in os.environ:  # somebody kept click's script in a file
            return super().get_completion_args()
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        return (words, "") if line[-1:].isspace() else (words[:-1], words[-1])

    def complete(self) -> str:
        """One line for each offer; of its value what bash does not hold for an earlier word."""
        arguments, typed = self.get_completion_args()
        breaks = os.environ.get("COMP_WORDBREAKS", "")
        start = 1 + max((typed.rfind(mark) for mark in breaks), default=-1)
        offers = self.get_completions(arguments, typed)
        rest = [(offer.type, offer.value[start:]) for offer in offers]
        return "\n".join(f"{type},{value}" for type, value in rest if value or type != "plain")
