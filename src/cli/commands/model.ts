import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { defaultModel } from '../../base/default-model.js';
import { defaultVariants, dtypes, variants, type Dtype, type Variant } from '../../base/dtypes.js';
import type { ConvertFlags, PullFlags, VerifyFlags } from '../model.js';

/** `reroll model`: get a model from the Hugging Face Hub, make it ONNX, check it. */
export function addModelCommands(program: Command, exit: (code: number) => void): void {
  const model = program
    .command('model')
    .description('get a model from the Hugging Face Hub, make it ONNX, check it')
    .addHelpText('after', `\nExample:\n  $ reroll model pull ${defaultModel}`);

  model
    .command('pull')
    .description('fetch a model, convert it to ONNX where it has none, and keep it in the cache')
    .argument('<name>', 'its name on the Hub, owner/name')
    .option('--revision <revision>', 'branch, tag or commit', 'main')
    .option('--offline', 'use what the caches hold; ask nobody')
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
Reads HF_TOKEN (never logged), HF_ENDPOINT (a mirror), HF_HOME and HF_HUB_CACHE (the cache that Python shares),
REROLL_CACHE (where the ONNX files go), HTTPS_PROXY and NO_PROXY. A download that was cut goes on where it stopped.`,
    )
    .action(async (name: string, options: PullFlags) => {
      const { pull } = await import('../model.js');
      exit(await pull(name, options));
    });

  model
    .command('convert')
    .description('make ONNX files of a checkpoint on disk (safetensors)')
    .argument('<folder>', 'config.json, preprocessor_config.json, model.safetensors')
    .argument('<out>', 'folder to write')
    .addOption(
      new Option('--variants <list>', `which of ${variants.join(', ')} to make`)
        .argParser(variantsOf)
        .default(defaultVariants, defaultVariants.join(',')),
    )
    .option('--json', 'print one JSON object at the end')
    .action(async (folder: string, out: string, options: ConvertFlags) => {
      const { convert } = await import('../model.js');
      exit(await convert(folder, out, options));
    });

  model
    .command('info')
    .description('labels, sizes, revision, licence and files of a model, and its speed on this machine')
    .argument('<model>', 'a folder, or a Hub repository that was pulled')
    .option('--json', 'print a JSON object')
    .action(async (name: string, options: { json?: boolean }) => {
      const { info } = await import('../model.js');
      exit(await info(name, options));
    });

  model
    .command('verify')
    .description('compare two variants of a model on images; one that disagrees is refused from then on')
    .argument('<model>', 'a folder, or a Hub repository that was pulled')
    .argument('<images...>', 'image files, folders, globs, or - for a list on standard input')
    .option('--dtype <name>', 'the variant to test', dtypeOf, 'q8')
    .option('--reference <name>', 'what it is compared with', dtypeOf, 'fp32')
    .option('--json', 'print a JSON object')
    .addHelpText('after', '\nExit codes: 0 they agree; 1 they do not; 2 could not run')
    .action(async (name: string, images: string[], options: VerifyFlags) => {
      const { verify } = await import('../model.js');
      exit(await verify(name, images, options));
    });
}

function variantsOf(text: string): Variant[] {
  return text.split(',').map((name) => oneOf(variants, name.trim()));
}

function dtypeOf(text: string): Dtype {
  return oneOf(Object.keys(dtypes) as Dtype[], text);
}

function oneOf<T extends string>(names: readonly T[], text: string): T {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`each is one of ${names.join(', ')}.`);
  return found;
}
