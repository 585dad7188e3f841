import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** Prints what a shell needs to ask us at each Tab: it holds no command and no option, so it is never out of date. */
export function completion({ out }: Context, shell: Shell): ExitCode {
  out.write(SCRIPTS[shell]);
  return EXIT.ok;
}

const BASH = `# parley's completion for bash. In ~/.bashrc: eval "$(parley completion bash)"
_parley() {
  local line tab=$'\\t' words=() hints=() i
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default 2>/dev/null
      return
    fi
    words+=("\${line%%"$tab"*}")
    hints+=("\${line#*"$tab"}")
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "\${#words[@]}" -eq 1 ]; then
    COMPREPLY=("\${words[0]}")
    return
  fi
  # Several are listed with their hints; what they have in common ends before those.
  for i in "\${!words[@]}"; do
    if [ -n "\${hints[i]}" ]; then
      COMPREPLY+=("\${words[i]}  (\${hints[i]})")
    else
      COMPREPLY+=("\${words[i]}")
    fi
  done
}
complete -o nosort -F _parley parley 2>/dev/null || complete -F _parley parley
`;

const ZSH = `#compdef parley
# parley's completion for zsh. In ~/.zshrc, after compinit: eval "$(parley completion zsh)"
_parley() {
  local line tab=$'\\t'
  local -a lines found
  lines=("\${(@f)$(\${(Q)~words[1]} complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == ":files" ]]; then
    _files
    return
  fi
  for line in $lines; do
    [[ -n $line ]] && found+=("\${\${line%%$tab*}//:/\\\\:}:\${line#*$tab}")
  done
  _describe -V parley found
}
compdef _parley parley
`;

const FISH = `# parley's completion for fish. parley completion fish > ~/.config/fish/completions/parley.fish
function __parley_complete
  set -l typed (commandline -opc)
  set -l found ($typed[1] complete -- $typed[2..-1] (commandline -ct) 2>/dev/null)
  if test "$found[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c parley -f -k -a '(__parley_complete)'
`;

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
