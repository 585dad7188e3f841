/** Commands that do no harm, each with the flags of which that is known. A flag that is not here makes a call unknown. */
export interface KnownCommand {
  readonly level: "read" | "safe";
  /** Letters that may be put together after one dash. */
  readonly short: string;
  /** Of those, the ones with a value: the rest of the word, or the next one. */
  readonly valued?: string;
  /** Names after two dashes; with a value after `=`. */
  readonly long?: string;
  /** Whole words of one dash. */
  readonly words?: string;
  /** How many words that are no flags, counted from the first, are no files. */
  readonly notFiles?: number;
  /** How many words that are no flags it takes at most. */
  readonly maxOperands?: number;
  /** Takes no file: its words are only words. */
  readonly takesNoFiles?: true;
  /** `-5` stands for a number. */
  readonly takesCount?: true;
  /** Two dashes alone end no flags: what comes after them is obeyed all the same. */
  readonly isNeverPlain?: true;
  /** In a folder it follows the links that it comes upon, so it is harmless with files only. */
  readonly followsLinks?: true;
}

const read = (short: string, more: Omit<KnownCommand, "level" | "short"> = {}): KnownCommand => ({
  level: "read",
  short,
  ...more,
});
const safe = (short: string, more: Omit<KnownCommand, "level" | "short"> = {}): KnownCommand => ({
  level: "safe",
  short,
  takesNoFiles: true,
  ...more,
});

/** Those that read files do not follow links that they come upon, write no file, and start no program. */
export const KNOWN_COMMANDS: Readonly<Record<string, KnownCommand>> = {
  // -I, -T and -w have a value on some systems and none on others, where that would be a file.
  ls: read("1aAbBcCdFfgGhiklmnNopqQrRsStuUvxXZ", {
    long: "all almost-all author classify color directory full-time group-directories-first human-readable inode recursive reverse size sort time time-style",
  }),
  pwd: read("P", { maxOperands: 0 }),
  cat: read("AbeEnstTuv", {
    long: "number number-nonblank show-all show-ends show-tabs show-nonprinting squeeze-blank",
  }),
  tac: read(""),
  nl: read("bnsvwi", { valued: "bnsvwi" }),
  head: read("ncqv", { valued: "nc", long: "lines bytes quiet verbose", takesCount: true }),
  tail: read("ncqv", { valued: "nc", long: "lines bytes quiet verbose", takesCount: true }),
  wc: read("clmwL", { long: "bytes chars lines words max-line-length" }),
  grep: read("EFGPivwxclLnHhoqsrabABCmZTe", {
    valued: "ABCme",
    long: "extended-regexp fixed-strings perl-regexp ignore-case invert-match word-regexp line-regexp count files-with-matches files-without-match line-number with-filename no-filename only-matching quiet recursive include exclude exclude-dir after-context before-context context max-count color regexp",
    notFiles: 1,
    takesCount: true,
  }),
  cut: read("bcdfs", {
    valued: "bcdf",
    long: "bytes characters delimiter fields only-delimited complement output-delimiter",
  }),
  comm: read("123i"),
  cmp: read("bls"),
  diff: read("abBiEqrstuwyNcUC", {
    valued: "UC",
    long: "brief unified side-by-side recursive new-file ignore-all-space ignore-space-change ignore-case color minimal text",
    followsLinks: true,
  }),
  stat: read("cft", { valued: "c", long: "format terse file-system" }),
  du: read("abcdhkmsx", { valued: "d", long: "all human-readable max-depth summarize total" }),
  od: read("AcdjNtvx", { valued: "AjNt" }),
  md5sum: read("b"),
  sha1sum: read("b"),
  sha256sum: read("b"),
  sha512sum: read("b"),
  find: read("", {
    words:
      "-name -iname -path -ipath -type -maxdepth -mindepth -size -mtime -mmin -empty -not -and -or -o -a -print -print0 -prune",
    notFiles: 0,
    isNeverPlain: true,
  }),
  basename: safe("as", { valued: "s" }),
  dirname: safe("z"),
  echo: safe("neE"),
  true: safe(""),
  false: safe(""),
  ":": safe(""),
  sleep: safe(""),
  seq: safe("sw", { valued: "s" }),
  whoami: safe("", { maxOperands: 0 }),
  id: safe("ugnrG"),
  uname: safe("asnrvmpio", { maxOperands: 0 }),
  arch: safe("", { maxOperands: 0 }),
  nproc: safe("", { long: "all", maxOperands: 0 }),
  uptime: safe("ps", { maxOperands: 0 }),
  date: safe("uRI", { long: "utc rfc-email iso-8601 rfc-3339", maxOperands: 1 }),
};

/** The same of git. It is no plain reading: a repository's own settings name programs that git starts. */
export const KNOWN_GIT: Readonly<Record<string, KnownCommand>> = {
  status: safe("sbuz", { valued: "u", long: "short branch porcelain long untracked-files ignored show-stash" }),
  log: safe("npsi", {
    valued: "n",
    long: "oneline graph decorate stat shortstat numstat name-only name-status patch author since until grep all max-count reverse follow no-merges merges abbrev-commit date pretty format",
    takesCount: true,
  }),
  diff: safe("pswbU", {
    valued: "U",
    long: "stat shortstat numstat name-only name-status cached staged word-diff no-ext-diff color no-color unified",
  }),
  show: safe("psw", { long: "stat name-only name-status oneline pretty format no-ext-diff" }),
  "ls-files": safe("cdmosz", { long: "cached deleted modified others stage exclude-standard" }),
  "rev-parse": safe("", { long: "short abbrev-ref show-toplevel verify is-inside-work-tree" }),
  blame: safe("wslL", { valued: "L" }),
};

/** Commands that destroy or give away, or do as somebody else, and what one says of them. */
export const DESTRUCTIVE: Readonly<Record<string, string>> = {
  rm: "it removes files for good",
  rmdir: "it removes folders",
  unlink: "it removes a file for good",
  shred: "it removes files for good",
  srm: "it removes files for good",
  truncate: "it cuts files off",
  dd: "it writes over files and devices",
  mkfs: "it makes a file system, which removes what was there",
  fdisk: "it changes how a disk is divided",
  parted: "it changes how a disk is divided",
  wipefs: "it removes file systems",
  mount: "it changes what folders hold",
  umount: "it changes what folders hold",
  mv: "it moves files, over others too",
  chmod: "it changes who may use files",
  chown: "it changes whose files are",
  chgrp: "it changes whose files are",
  setfacl: "it changes who may use files",
  sudo: "it runs as somebody who may do everything",
  doas: "it runs as somebody who may do everything",
  su: "it runs as somebody else",
  pkexec: "it runs as somebody who may do everything",
  kill: "it ends processes",
  pkill: "it ends processes",
  killall: "it ends processes",
  shutdown: "it stops the machine",
  reboot: "it stops the machine",
  halt: "it stops the machine",
  poweroff: "it stops the machine",
  systemctl: "it changes what the machine runs",
  service: "it changes what the machine runs",
  crontab: "it changes what the machine runs later",
  at: "it runs something later",
  iptables: "it changes what the network lets through",
  useradd: "it changes who may use the machine",
  userdel: "it changes who may use the machine",
  usermod: "it changes who may use the machine",
  passwd: "it changes who may use the machine",
  kubectl: "it changes what other machines run",
  terraform: "it changes what other machines run",
  docker: "it can reach everything on this machine",
  podman: "it can reach everything on this machine",
  ssh: "it runs something on another machine",
  scp: "it sends files to another machine, or takes them",
  rsync: "it writes over files, here or on another machine",
  nc: "it sends and takes anything over the network",
  ncat: "it sends and takes anything over the network",
  socat: "it sends and takes anything over the network",
  curl: "it sends to the network, and takes from it",
  wget: "it takes files from the network",
};

/** The same of commands of which only some calls do that: what must be among the words after the name. */
export const DESTRUCTIVE_CALLS: readonly (readonly [name: string, words: RegExp, reason: string])[] = [
  [
    "git",
    /^(push|reset|clean|rebase|filter-branch|gc|reflog|rm|restore|checkout|switch|stash)$/,
    "it can lose commits or changes, or give them away",
  ],
  ["git", /^(-D|--force|--hard)$/, "it can lose commits or changes"],
  [
    "find",
    /^-(delete|exec|execdir|ok|okdir|fprint|fprint0|fprintf|fls)$/,
    "it removes what it finds, or runs something for it",
  ],
  ["npm", /^(publish|unpublish|deprecate|owner|token|access)$/, "it changes what others install"],
  ["cargo", /^(publish|yank|owner)$/, "it changes what others install"],
  ["gh", /^(delete|merge|close|create|edit|api)$/, "it changes what others see"],
];

/** Commands that run what they are given: no rule for all their calls is suggested. */
export const RUNNERS: ReadonlySet<string> = new Set(
  `bash sh zsh dash ksh fish csh tcsh python python2 python3 node deno bun perl ruby php lua awk gawk mawk sed ed ex vi vim emacs eval
  exec source . command builtin env xargs parallel nohup nice ionice timeout time watch setsid stdbuf script unshare nsenter chroot
  busybox find ssh sudo doas su pkexec docker podman make npx bunx pnpx uvx tclsh osascript expect gdb strace ltrace
  runuser systemd-run start-stop-daemon flock entr fd rg ag sort split tar cpio zip rsync less more most man pager nvim view vimdiff
  nano emacsclient tmux screen sqlite3 psql mysql java jshell Rscript R julia pypy pypy3 tsx ts-node perf valgrind faketime chrt
  taskset numactl proot fakeroot firejail bwrap socat openssl dpkg rpm gcc g++ cc c++ clang clang++ ld`.split(/\s+/),
);

/** The same of programs of which only some first words do that, or take a flag that names a program. */
export const RUNNING_VERBS: Readonly<Record<string, RegExp>> = {
  git: /^(am|archive|bisect|clone|config|daemon|difftool|fetch|for-each-repo|grep|hook|ls-remote|mergetool|pull|rebase|remote|send-email|submodule|svn)$/,
  npm: /^(exec|explore|x)$/,
  pnpm: /^(dlx|exec)$/,
  yarn: /^(dlx|exec|node)$/,
  go: /^(generate|run|tool)$/,
  poetry: /^run$/,
  uv: /^(run|tool)$/,
  dotnet: /^(exec|run)$/,
  bundle: /^exec$/,
  gem: /^exec$/,
  composer: /^exec$/,
  gh: /^(alias|extension|codespace)$/,
};

/** Commands that write what their words name. */
export const WRITERS: ReadonlySet<string> = new Set(
  `rm rmdir unlink shred truncate dd mv cp ln install tee touch mkdir chmod chown chgrp setfacl rsync scp sed ed ex vi vim nano emacs
  patch tar unzip curl wget git sponge mkfifo mknod`.split(/\s+/),
);

/** Programs whose first word says what they do. */
export const WITH_SUBCOMMANDS: ReadonlySet<string> = new Set(
  "git npm pnpm yarn cargo go gh pip pip3 poetry uv dotnet gradle mvn bundle gem composer brew apt apt-get kubectl terraform systemctl".split(
    " ",
  ),
);
