# fish completion for wskeep

set -l commands list show why reconnect pause resume tail send check status reload diff

# The connections of the daemon that the command line so far speaks of.
function __wskeep_connections
    set -l words (commandline -opc)
    set -l socket
    for at in (seq (count $words))
        if test "$words[$at]" = --socket
            set -l next (math $at + 1)
            test $next -le (count $words); and set socket --socket $words[$next]
        else if string match -q -- '--socket=*' $words[$at]
            set socket $words[$at]
        end
    end
    wskeep $socket --timeout 1s list --names 2>/dev/null
end

complete -c wskeep -f
complete -c wskeep -l socket -r -F -d 'The socket of the daemon'
complete -c wskeep -l timeout -x -d 'How long to wait for an answer'
complete -c wskeep -l json -d 'Print JSON'
complete -c wskeep -l color -x -a 'auto always never' -d 'When to use colours'
complete -c wskeep -s h -l help -d 'Print help'
complete -c wskeep -l version -d 'Print the version'

complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a list -d 'All connections'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a show -d 'Everything known of one connection'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a why -d 'Why one is not connected'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a reconnect -d 'Connect anew at once'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a pause -d 'End the session and stay away'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a resume -d 'Connect what was paused'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a tail -d 'Print messages as they come'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a send -d 'Send messages upstream'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check a configuration'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a status -d 'The daemon itself'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Read the configuration anew'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a diff -d 'What a reload would do'

complete -c wskeep -n '__fish_seen_subcommand_from show why reconnect pause resume tail send' -a '(__wskeep_connections)' -d Connection
complete -c wskeep -n '__fish_seen_subcommand_from check diff' -F

complete -c wskeep -n '__fish_seen_subcommand_from list' -l once -d 'One table, then leave'
complete -c wskeep -n '__fish_seen_subcommand_from list' -l names -d 'Only the names'

complete -c wskeep -n '__fish_seen_subcommand_from why' -l cycles -x -d 'How many of the last attempts'

complete -c wskeep -n '__fish_seen_subcommand_from reconnect pause resume' -l all -d 'All connections'
complete -c wskeep -n '__fish_seen_subcommand_from reconnect resume' -l wait -d 'Leave when they are ready'

complete -c wskeep -n '__fish_seen_subcommand_from tail' -l from -x -a 'oldest newest' -d 'Where to begin'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l after -x -d 'Begin behind this message'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l events -d 'Print events too'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l limit -x -d 'Leave after so many messages'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l timestamps -d 'Begin lines with the time of receipt'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l reconnect -d 'Wait for a daemon that goes away'

complete -c wskeep -n '__fish_seen_subcommand_from send' -l binary -d 'As binary messages'
complete -c wskeep -n '__fish_seen_subcommand_from send' -l whole -d 'All of standard input is one message'
