import { ModelError } from '../errors.js';
import type { Linear, Parameter } from '../onnx/index.js';
import type { Tensors } from './safetensors/index.js';

/** What older transformers call the parts of a layer, and what version 5 calls them. */
const renames: [RegExp, string][] = [
  [/^(vit|deit)\./, ''],
  [/^encoder\.layer\./, 'layers.'],
  [/\.attention\.attention\.(q)uery\./, '.attention.$1_proj.'],
  [/\.attention\.attention\.(k)ey\./, '.attention.$1_proj.'],
  [/\.attention\.attention\.(v)alue\./, '.attention.$1_proj.'],
  [/\.attention\.output\.dense\./, '.attention.o_proj.'],
  [/\.intermediate\.dense\./, '.mlp.fc1.'],
  [/^(layers\.\d+)\.output\.dense\./, '$1.mlp.fc2.'],
];

/** A checkpoint's weights by the names of transformers 5, without the model's own prefix. */
export class VitWeights {
  readonly #names = new Map<string, string>();

  readonly #checkpoint: Tensors;

  constructor(checkpoint: Tensors) {
    this.#checkpoint = checkpoint;
    for (const name of checkpoint.tensors.keys()) {
      const canonical = renames.reduce(
        (text, [pattern, replacement]) => text.replace(pattern, replacement),
        name,
      );
      const other = this.#names.get(canonical);
      if (other) throw new ModelError(`The checkpoint has one weight twice: "${other}" and "${name}"`);
      this.#names.set(canonical, name);
    }
  }

  /** A weight that must have this shape. Throws ModelError where it is missing or has another. */
  get(canonical: string, dims: number[]): Parameter {
    const name = this.#names.get(canonical);
    const tensor = name === undefined ? undefined : this.#checkpoint.tensors.get(name);
    if (name === undefined || !tensor) {
      throw new ModelError(
        canonical.includes('classifier')
          ? `The checkpoint has no "${canonical}": it is a backbone that was never trained to classify`
          : `The checkpoint has no "${canonical}": its weights are of another architecture than its config.json`,
      );
    }
    if (tensor.shape.join() !== dims.join()) {
      throw new ModelError(
        `"${name}" has the shape [${tensor.shape.join(', ')}]; config.json makes it [${dims.join(', ')}]`,
      );
    }
    return { name: canonical, dims, load: () => this.#checkpoint.readFloats(name) };
  }

  linear(canonical: string, outputs: number, inputs: number, bias: boolean): Linear {
    return {
      weight: this.get(`${canonical}.weight`, [outputs, inputs]),
      bias: bias ? this.get(`${canonical}.bias`, [outputs]) : undefined,
    };
  }

  /** A layer norm's scale and shift. */
  norm(canonical: string, size: number): [Parameter, Parameter] {
    return [this.get(`${canonical}.weight`, [size]), this.get(`${canonical}.bias`, [size])];
  }
}
