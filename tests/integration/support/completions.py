"""What bash, zsh and fish offer when somebody presses Tab behind `wskeep ...`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .daemon import build_folder, program_environment
from .documents import ROOT
from .processes import need

SHELLS = ("bash", "zsh", "fish")
_FOLDER = ROOT / "cli" / "completions"

# As bash does it: the words, split at = too, the one under the cursor, and the function that is registered for the command.
_BASH = r"""
source "$COMPLETIONS/wskeep.bash"
read -r _ _ function _ < <(complete -p wskeep)
for line; do
  COMP_LINE=$line COMP_POINT=${#line}
  read -ra COMP_WORDS <<<"${line//=/ = }"
  [[ $line != *[[:space:]=] ]] || COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  "$function" wskeep "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  echo "> $line"
  printf '%s\n' "${COMPREPLY[@]}"
done
"""

_FISH = r"""
source $COMPLETIONS/wskeep.fish
for line in $argv
    echo "> $line"
    complete -C "$line" | string replace -r '\t.*' ''
end
true
"""

# zsh completes in its line editor only: one with a terminal of its own, whose `compadd` says what would be offered.
_ZSH = r"""
zmodload zsh/zpty
for line; do
  zpty editor 'zsh -f -i'
  {
    print -r -- 'PROMPT= RPROMPT= PS2='
    print -r -- 'fpath=($COMPLETIONS $fpath); autoload -U compinit; compinit -u -d $FOLDER/zcompdump'
    print -r -- 'bindkey "^I" complete-word; bindkey "^M" undefined-key; bindkey "^J" undefined-key'
  } >| $FOLDER/.zshrc
  cat >>| $FOLDER/.zshrc <<'RC'
comppostfuncs=(leave)
leave() { print -r -- "<done>"; exit }
zstyle ':completion:*' insert-tab false
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits
  builtin compadd -A hits "$@"
  local hit
  for hit in $hits; do print -r -- "<offer>$hit"; done
  # Nothing is really offered, and the status is as if it were.
  (( $#hits ))
}
RC
  zpty -w editor "source $FOLDER/.zshrc; print '<'ready'>'"
  text=
  while [[ $text != *'<ready>'* ]] && zpty -r editor part; do text+=$part; done
  zpty -w -n editor "$line"$'\t'
  text=
  while [[ $text != *'<done>'* ]] && zpty -r editor part; do text+=$part; done
  zpty -d editor
  print -r -- "> $line"
  print -r -- "$text" | tr -d '\r' | sed -n 's/.*<offer>//p'
done
"""


def offered(shell: str, lines: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> list[set[str]]:
    """For each line, with the cursor at its end; skips the test where the shell is not installed."""
    program = need(shell)
    script = folder / f"offered.{shell}"
    script.write_text({"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell])
    without_settings = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [program, *without_settings, script, *lines], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180,
        env=program_environment() | {"COMPLETIONS": str(_FOLDER), "FOLDER": str(folder), "HOME": str(folder), "ZDOTDIR": str(folder / "none"),
                                     "TERM": "dumb", "PATH": f"{build_folder()}:{os.environ['PATH']}"} | (environment or {}))
    assert done.returncode == 0 and done.stderr == "", done
    found: list[set[str]] = []
    for line in done.stdout.splitlines():
        if line.startswith("> "):
            found.append(set())
        elif line:
            found[-1].add(line.rstrip())
    assert len(found) == len(lines), done.stdout
    return found
