# source dock NAME: this shell's docker commands go to the dock, until castoff. For bash and zsh.
# fish: workbench dock env --shell fish NAME | source
if [ -n "${WORKBENCH_DOCK-}" ] && command -v castoff >/dev/null 2>&1; then castoff; fi
if [ -n "${1-}" ]; then
    if [ -n "${ZSH_VERSION-}" ]; then _workbench_shell=zsh; else _workbench_shell=bash; fi
    if _workbench_code=$(workbench dock env --shell "$_workbench_shell" --pid $$ -- "$1"); then
        eval "$_workbench_code"
    fi
    unset _workbench_shell _workbench_code
else
    echo "Which dock? source dock NAME; ls-dock lists them." >&2
fi
