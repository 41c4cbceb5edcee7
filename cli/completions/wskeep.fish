# fish completion for wskeep

set -l commands list show why top reconnect pause resume tail events send check dry-run status reload diff health init schema

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
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a top -d 'A live view of all connections'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a reconnect -d 'Connect anew at once'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a pause -d 'End the session and stay away'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a resume -d 'Connect what was paused'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a tail -d 'Print messages as they come'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a events -d 'Print what happens to all connections'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a send -d 'Send messages upstream'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check a configuration'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a dry-run -d 'One session in the foreground'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a status -d 'The daemon itself'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Read the configuration anew'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a diff -d 'What a reload would do'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a health -d 'Whether the daemon answers'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a init -d 'Write a first configuration'
complete -c wskeep -n "not __fish_seen_subcommand_from $commands" -a schema -d 'The configuration as a JSON Schema'

complete -c wskeep -n '__fish_seen_subcommand_from show why reconnect pause resume tail send' -a '(__wskeep_connections)' -d Connection
complete -c wskeep -n '__fish_seen_subcommand_from check diff init' -F

complete -c wskeep -n '__fish_seen_subcommand_from list' -l once -d 'One table, then leave'
complete -c wskeep -n '__fish_seen_subcommand_from list' -l names -d 'Only the names'

complete -c wskeep -n '__fish_seen_subcommand_from why' -l cycles -x -d 'How many of the last attempts'

complete -c wskeep -n '__fish_seen_subcommand_from top' -l interval -x -d 'How often it is brought up to date'
complete -c wskeep -n '__fish_seen_subcommand_from top' -l once -d 'One table, then leave'
complete -c wskeep -n '__fish_seen_subcommand_from top' -l batch -x -d 'So many tables, then leave'
complete -c wskeep -n '__fish_seen_subcommand_from top' -l sort -x -a 'name state messages bytes sent rtt ring readers lag' -d 'By what'
complete -c wskeep -n '__fish_seen_subcommand_from top' -l filter -x -d 'Only what has this text'

complete -c wskeep -n '__fish_seen_subcommand_from reconnect pause resume' -l all -d 'All connections'
complete -c wskeep -n '__fish_seen_subcommand_from reconnect resume' -l wait -d 'Leave when they are ready'

complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l from -x -a 'oldest newest' -d 'Where to begin'
complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l after -x -d 'Begin behind this message'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l events -d 'Print events too'
complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l limit -x -d 'Leave after so many messages'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l all -d 'All connections'
complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l contains -x -d 'Only with this text'
complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l where -x -d 'Only JSON with /POINTER:VALUE'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l opcode -x -a 'text binary' -d 'Only of this type'
complete -c wskeep -n '__fish_seen_subcommand_from tail' -l timestamps -d 'Begin lines with the time of receipt'
complete -c wskeep -n '__fish_seen_subcommand_from tail events' -l reconnect -d 'Wait for a daemon that goes away'

complete -c wskeep -n '__fish_seen_subcommand_from send' -l binary -d 'As binary messages'
complete -c wskeep -n '__fish_seen_subcommand_from send' -l whole -d 'All of standard input is one message'

complete -c wskeep -n '__fish_seen_subcommand_from dry-run' -l config -r -F -d 'The configuration'
complete -c wskeep -n '__fish_seen_subcommand_from dry-run' -l for -x -d 'Leave after so long'
complete -c wskeep -n '__fish_seen_subcommand_from dry-run' -l messages -x -d 'Leave after so many messages'
complete -c wskeep -n '__fish_seen_subcommand_from dry-run' -l show-values -d 'Secrets too'

complete -c wskeep -n '__fish_seen_subcommand_from check' -l user -x -a '(__fish_complete_users)' -d 'With the rights of this user'
complete -c wskeep -n '__fish_seen_subcommand_from check' -l strict -d 'Warnings count too'

complete -c wskeep -n '__fish_seen_subcommand_from schema' -l conf-d -d 'Of a file in conf.d'

complete -c wskeep -n '__fish_seen_subcommand_from health' -l ready -d 'All connections too'

complete -c wskeep -n '__fish_seen_subcommand_from init' -l url -x -d 'What to hold'
complete -c wskeep -n '__fish_seen_subcommand_from init' -l name -x -d 'Its name'
complete -c wskeep -n '__fish_seen_subcommand_from init' -l subscribe -x -d 'A message to send when it is open'
complete -c wskeep -n '__fish_seen_subcommand_from init' -l token-file -r -F -d 'A file that holds a bearer token'
complete -c wskeep -n '__fish_seen_subcommand_from init' -l metrics -x -d 'Where Prometheus scrapes'
complete -c wskeep -n '__fish_seen_subcommand_from init' -l force -d 'Replace a file that is there'
