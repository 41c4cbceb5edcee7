# bash completion for wskeep

# The connections of the daemon that the command line so far speaks of.
_wskeep_names() {
  local at socket=()
  for ((at = 1; at < COMP_CWORD; ++at)); do
    # bash splits --socket=PATH at the sign.
    if [[ ${COMP_WORDS[at]} == --socket ]]; then
      if [[ ${COMP_WORDS[at + 1]} == = ]]; then
        socket=(--socket "${COMP_WORDS[at + 2]}")
      else
        socket=(--socket "${COMP_WORDS[at + 1]}")
      fi
    fi
  done
  wskeep "${socket[@]}" --timeout 1s list --names 2>/dev/null
}

_wskeep() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local globals="--socket --timeout --json --color --help --version"
  # All that take a value behind them; --wait has its own only behind =.
  local with_values="--socket --timeout --color --cycles --interval --batch --sort --filter --from --after --limit --contains
    --where --opcode --url --name --subscribe --token-file --metrics --config --for --messages
    --user"
  with_values=${with_values//$'\n'/ }
  local at command="" positions=0 options="" skip=0
  COMPREPLY=()

  if [[ $word == = ]]; then
    word=""
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  # A value is wanted: one of those that are known, or what only the user knows.
  case $previous in
    --socket | --token-file | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$word"); return ;;
    --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word"); return ;;
    --from) mapfile -t COMPREPLY < <(compgen -W "oldest newest" -- "$word"); return ;;
    --opcode) mapfile -t COMPREPLY < <(compgen -W "text binary" -- "$word"); return ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W "name state messages bytes sent rtt ring readers lag" -- "$word"); return ;;
    *) [[ " $with_values " != *" $previous "* ]] || return ;;
  esac

  for ((at = 1; at < COMP_CWORD; ++at)); do
    if ((skip)); then
      [[ ${COMP_WORDS[at]} == = ]] || skip=0
      continue
    fi
    case ${COMP_WORDS[at]} in
      -*) [[ " $with_values " != *" ${COMP_WORDS[at]} "* ]] || skip=1 ;;
      *)
        if [[ -z $command ]]; then
          command=${COMP_WORDS[at]}
        else
          ((++positions))
        fi
        ;;
    esac
  done

  case $command in
    list) options="--once --names" ;;
    why) options="--cycles" ;;
    reconnect | resume) options="--all --wait" ;;
    pause) options="--all" ;;
    top) options="--interval --once --batch --sort --filter" ;;
    tail) options="--all --from --after --events --limit --timestamps --reconnect --contains --where --opcode" ;;
    events) options="--from --after --limit --reconnect --contains --where" ;;
    send) options="--binary --whole" ;;
    check) options="--user --strict" ;;
    schema) options="--conf-d" ;;
    dry-run) options="--config --for --messages --show-values" ;;
    health) options="--ready" ;;
    init) options="--url --name --subscribe --token-file --metrics --force" ;;
  esac

  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options $globals" -- "$word")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "list show why top reconnect pause resume tail events send check dry-run status reload diff health init schema" -- "$word")
  elif [[ $command == @(reconnect|pause|resume) ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_wskeep_names)" -- "$word")
  elif ((positions == 0)); then
    case $command in
      show | why | tail | send) mapfile -t COMPREPLY < <(compgen -W "$(_wskeep_names)" -- "$word") ;;
      check | diff | init) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
  fi
}

complete -F _wskeep wskeep
