# What `cmake --install` lays down, and `cpack -G DEB` makes a package of. Paths are Debian's.

include(GNUInstallDirs)
set(man_pages wskeepd.8 wskeep.1 wskeep.yaml.5)
set(package_files ${CMAKE_BINARY_DIR}/package)

# The keys in wskeep.yaml(5) are the table of docs/configuration.md, so that the two cannot differ.
# CMake's lists take ; [ ] for their own: they stand as control characters meanwhile.
string(ASCII 1 semicolon)
string(ASCII 2 open_bracket)
string(ASCII 3 close_bracket)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/configuration.md)
file(READ ${CMAKE_SOURCE_DIR}/docs/configuration.md document)
string(REPLACE ";" "${semicolon}" document "${document}")
string(REPLACE "[" "${open_bracket}" document "${document}")
string(REPLACE "]" "${close_bracket}" document "${document}")
string(REPLACE "\\" "" document "${document}")
string(REGEX MATCHALL "\n\\| `[a-zA-Z_0-9.]+` \\|[^\n|]*\\|[^\n|]*\\|[^\n|]*\\|" rows "${document}")
set(CONFIGURATION_KEYS "")
foreach(row IN LISTS rows)
  string(REPLACE "`" "" row "${row}")
  string(REGEX MATCH "\\| ([^|]*) \\| ([^|]*) \\| ([^|]*) \\| ([^|]*) \\|" whole "${row}")
  string(APPEND CONFIGURATION_KEYS
      ".TP\n\\fB${CMAKE_MATCH_1}\\fR\n${CMAKE_MATCH_2}; default: ${CMAKE_MATCH_3}.\n.br\n${CMAKE_MATCH_4}.\n")
endforeach()
string(REPLACE "${semicolon}" ";" CONFIGURATION_KEYS "${CONFIGURATION_KEYS}")
string(REPLACE "${open_bracket}" "[" CONFIGURATION_KEYS "${CONFIGURATION_KEYS}")
string(REPLACE "${close_bracket}" "]" CONFIGURATION_KEYS "${CONFIGURATION_KEYS}")
string(REPLACE "-" "\\-" CONFIGURATION_KEYS "${CONFIGURATION_KEYS}")

# Of the time that SOURCE_DATE_EPOCH says, else of now.
string(TIMESTAMP DEBIAN_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
find_program(GZIP gzip REQUIRED)
function(compress from to)
  configure_file(${from} ${package_files}/plain/${to} @ONLY)
  execute_process(COMMAND ${GZIP} -9nc ${package_files}/plain/${to} OUTPUT_FILE ${package_files}/${to}.gz
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()
foreach(page IN LISTS man_pages)
  compress(${CMAKE_SOURCE_DIR}/docs/man/${page}.in ${page})
  string(REGEX MATCH "[0-9]$" section ${page})
  install(FILES ${package_files}/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
compress(${CMAKE_SOURCE_DIR}/CHANGELOG.md changelog)
compress(${CMAKE_CURRENT_LIST_DIR}/debian/changelog.in changelog.Debian)
install(FILES ${package_files}/changelog.gz ${package_files}/changelog.Debian.gz
              ${CMAKE_CURRENT_LIST_DIR}/debian/copyright ${CMAKE_SOURCE_DIR}/README.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/wskeep)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/wskeep
        FILES_MATCHING PATTERN "*.yaml" PATTERN installed.yaml EXCLUDE)
install(FILES docs/configuration.md docs/session.md docs/templates.md docs/examples.md docs/ipc.md docs/cli.md docs/errors.md
              docs/systemd.md docs/monitoring.md docs/metrics.md docs/logs.md docs/docker.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/wskeep/docs)
# For editors: cli/CMakeLists.txt has the program write them.
install(FILES ${package_files}/wskeep.schema.json ${package_files}/conf.d.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/wskeep)
install(FILES docker/prometheus/rules.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/wskeep/monitoring)
install(FILES docker/grafana/dashboards/wskeep.json DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/wskeep/monitoring)

# Symbols are bound before main, and their table is then read-only.
target_link_options(wskeepd PRIVATE LINKER:-z,relro,-z,now)
target_link_options(wskeep PRIVATE LINKER:-z,relro,-z,now)
install(TARGETS wskeepd wskeep RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES cli/completions/wskeep.bash RENAME wskeep DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES cli/completions/_wskeep DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES cli/completions/wskeep.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES systemd/wskeepd.service systemd/wskeepd.socket DESTINATION /lib/systemd/system)
install(FILES systemd/wskeep.sysusers.conf RENAME wskeep.conf DESTINATION /usr/lib/sysusers.d)
install(FILES systemd/wskeep.tmpfiles.conf RENAME wskeep.conf DESTINATION /usr/lib/tmpfiles.d)
install(FILES config/examples/installed.yaml RENAME wskeep.yaml DESTINATION /etc/wskeep)
install(FILES systemd/debian/lintian-overrides RENAME wskeep DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME wskeep)
set(CPACK_SET_DESTDIR ON)  # what lies outside of /usr
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keeper of WebSocket connections for local programs")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"wskeepd holds persistent WebSocket connections, and reconnects them. Local
programs come and go: they read and send over a Unix socket, with any WebSocket
or HTTP client, and are told exactly what they missed.
.
wskeep is the command line for it.")
set(CPACK_PACKAGE_CONTACT "wskeep maintainers <maintainers@wskeep.invalid>")
set(CPACK_PACKAGE_VENDOR wskeep)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "init-system-helpers (>= 1.52), systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus, jq")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_LIST_DIR}/debian/conffiles ${CMAKE_CURRENT_LIST_DIR}/debian/postinst
    ${CMAKE_CURRENT_LIST_DIR}/debian/prerm ${CMAKE_CURRENT_LIST_DIR}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
