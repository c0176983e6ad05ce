import { conditioning } from './conditioning.js';
import { image } from './image.js';
import { latent } from './latent.js';
import { loaders } from './loaders.js';
import { sampling } from './sampling.js';
import type { NodeTypes, Workshop } from './type.js';

export type { InputSpec, NodeType, NodeTypes, Workshop } from './type.js';

/** Every class of node that the server has, with the choices of the moment. */
export function nodeTypes({ checkpoints, files }: Workshop): NodeTypes {
  return {
    ...loaders(checkpoints),
    ...conditioning,
    ...latent,
    ...sampling,
    ...image(files.inputNames()),
  };
}

/** One class as /object_info describes it. */
export function nodeInfo(name: string, type: NodeTypes[string]): Record<string, unknown> {
  const input = { required: type.required, ...(type.optional && { optional: type.optional }) };
  return {
    input,
    input_order: Object.fromEntries(Object.entries(input).map(([key, inputs]) => [key, Object.keys(inputs)])),
    is_input_list: false,
    output: type.output,
    output_is_list: type.output.map(() => false),
    output_name: type.outputNames ?? type.output,
    name,
    display_name: type.display,
    description: '',
    python_module: 'nodes',
    category: type.category,
    output_node: type.saves !== undefined,
    has_intermediate_output: false,
    search_aliases: [],
  };
}
