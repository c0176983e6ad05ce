/** The parts of docs/pipeline.md that no key's description can hold. */
export const prose = {
  top: `# The pipeline file

<!-- Written by \`npm run schema\` from src/pipeline. Change it there. -->

A pipeline is a YAML file: what to make, on which servers, what to reject, how often to try again. \`reroll init\`
writes a first one, and config/ has more. With this line at its top an editor checks and completes it, by the path
to \`pipeline.schema.json\`:

\`\`\`yaml
# yaml-language-server: $schema=./pipeline.schema.json
\`\`\`

\`\`\`yaml
name: portraits
backends:
  - name: forge
    kind: a1111
    url: http://127.0.0.1:7860
prompts:
  - text: "a woman waving, {soft|hard} light, in __city__"
    count: 4
wildcards: ./wildcards
\`\`\`

An unknown key, a wrong type or a missing file is an error that shows the place; nothing is sent before all is
right. Paths count from the file that names them, and in \`--set\` from the folder that you are in.

## Several files

\`extends\` takes in other files, each with what it extends itself. Mappings are merged key by key; of lists and
single values the later one counts: first the extended files in their order, then the file itself. So a list of
\`backends\` in the file replaces one that it extends.

## Environment variables

\`\${NAME}\` in any text becomes the variable's value, and \`\${NAME:-default}\` the default where the variable is not
set or empty. \`$\${NAME}\` is the text itself. Passwords belong there: reroll records a pipeline as it was before
variables were put in. A path that begins with a variable counts from the main file, where it is not absolute.

## --set

\`reroll run portraits.yaml --set retry.attempts=3 --set backends.0.slots=1\` puts single values in over the file.
Lists count from 0; a place just past the end adds to the list. The value is read as YAML.`,

  backends: `The list of servers. The fastest free one takes the next image, so more servers mean more images.`,

  generate: `Any of these may stand in a prompt too, where it counts instead. What is left out and has no default is left to
the server.`,

  prompts: `Each prompt has a \`text\` or a \`file\`, any of the keys of [generate](#generate), and:`,

  afterPrompts: `### Choices and wildcards

| written | becomes |
|---|---|
| \`{red\\|green\\|blue}\` | one of them |
| \`{2::red\\|blue}\` | red twice as often as blue |
| \`{very \\|}big\` | \`very big\` or \`big\` |
| \`{a {red\\|blue} hat\\|no hat}\` | choices in choices |
| \`__city__\` | a line of city.txt in the folder \`wildcards\` |
| \`__places/city__\` | a line of places/city.txt |
| \`__animals/*__\`, \`__animals__\` | a line of any file in the folder animals (\`*\`), and in folders below it |
| \`\\{\` \`\\}\` \`\\_\`, in choices \`\\\\|\` | the character itself |

Lines of a wildcard file may hold choices, other wildcards and a weight (\`2::red\`); empty lines and lines that begin
with \`#\` do not count. Every shot chooses anew, in the prompt and in the negative prompt; the run's seed decides, so
the same seed chooses the same. All else passes to the server as it is: \`(x:1.2)\`, \`[a:b:0.5]\`, \`[cow|horse]\`,
\`\\(\`, \`<lora:name:0.8>\`. Inside \`<...>\` a \`__name__\` that is no wildcard stays part of the name.

### Prompt files

- \`.txt\`: a prompt on each line; empty lines and lines that begin with \`#\` do not count.
- \`.csv\`: the first line names the columns. \`text\` (or \`prompt\`) is the prompt; \`name\`, \`count\`, \`priority\`, \`tags\`
  and every key of [generate](#generate) may be columns too. An empty cell counts as left out. Lists and mappings are
  written as in JSON.
- \`.jsonl\`: an object on each line, with the same keys.

What a row says counts over what the prompt's entry says, and that over \`generate\`. Files are read line by line, so
they may be of any length.

### Order and seeds

Shots are numbered from 1: prompt after prompt, in a prompt every combination of \`matrix\` (in the order of the table
of generate, the last key changing fastest), of each combination \`count\` shots. A prompt's \`seed\` is the first shot's,
the next ones take seed + 1, seed + 2; without one, each shot's seed is drawn from the run's seed and its number.`,

  reject: `Each rule adds up the probabilities of its labels. An image is rejected when one rule fires.`,

  ladder: `Each rung is the word \`new_seed\`, or a mapping with one of \`new_seed\`, \`adjust\` and \`repair\`.`,

  adjust: `Any key of [generate](#generate). The numbers \`width\`, \`height\`, \`steps\`, \`cfg_scale\`, \`clip_skip\` and
\`denoising_strength\` may also change by \`"+1"\`, \`"-0.05"\` or \`"*1.2"\`, in quotes, where \`generate\` or a prompt
sets them. And:`,

  filenames: `\`output.filename\` is made of text, of \`/\` between folders and of these fields. \`{{shot}}\` must be among them, or two
images could land on one file. Images lie in the run's own folder, \`dir/<run>/\`; a leading \`{{run}}/\` says the same.`,

  end: `Characters that some system does not allow in a file name become \`_\`.`,
};
