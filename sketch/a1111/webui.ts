import type { JsonObject } from '../http.js';
import type { Life } from '../studio.js';
import { families, type Family } from './family/index.js';
import { Tasks, WebuiState } from './state.js';

/** One life of the server: what modules.shared holds in the real one. */
export class Webui {
  readonly state = new WebuiState();
  readonly tasks = new Tasks();
  readonly options: Record<string, unknown>;

  readonly family: Family;

  constructor(readonly life: Life) {
    this.family = families[life.studio.options.flavour];
    this.options = {
      sd_model_checkpoint: this.family.checkpoint(life.gpu.loaded).title,
      sd_checkpoint_hash: this.family.checkpoint(life.gpu.loaded).sha256,
      sd_vae: 'Automatic',
      samples_format: 'png',
      enable_pnginfo: true,
      CLIP_stop_at_last_layers: 1,
      return_grid: true,
      return_mask: false,
      return_mask_composite: false,
      live_previews_enable: true,
      live_previews_image_format: 'png',
      show_progress_every_n_steps: 10,
      eta_noise_seed_delta: 0,
      face_restoration_model: 'CodeFormer',
      randn_source: 'GPU',
      ad_max_models: 2,
      forge_additional_modules: [],
    };
  }

  /** The options as it says them: SD.Next leaves out what is as it was at first, but for the checkpoint. */
  said(): Record<string, unknown> {
    if (!this.family.isSdNext) return this.options;
    const first = this.defaults();
    const isChanged = (name: string) =>
      JSON.stringify(this.options[name]) !== JSON.stringify(first[name]?.default);
    return Object.fromEntries(
      Object.entries(this.options).filter(([name]) => name === 'sd_model_checkpoint' || isChanged(name)),
    );
  }

  /** Its settings, as SD.Next tells of them: what they are where nobody changed them. */
  defaults(): Record<string, { default: unknown }> {
    const first = Object.entries(new Webui(this.life).options);
    return Object.fromEntries(first.map(([name, value]) => [name, { default: value }]));
  }

  /** The checkpoint file that the options name. */
  get checkpoint(): string {
    return this.findCheckpoint(this.options['sd_model_checkpoint']) ?? this.life.gpu.loaded;
  }

  /** Makes settings stay. An unknown checkpoint is left out. */
  keep(settings: JsonObject): void {
    const { sd_model_checkpoint: wanted, ...others } = settings;
    const found = this.findCheckpoint(wanted);
    Object.assign(
      this.options,
      others,
      found === undefined ? {} : { sd_model_checkpoint: this.family.checkpoint(found).title },
    );
  }

  /** The checkpoint file that a title, name or hash means. */
  findCheckpoint(alias: unknown): string | undefined {
    if (typeof alias !== 'string') return undefined;
    const { checkpoints } = this.life.studio.options;
    return checkpoints.find((name) => this.family.aliases(name).includes(alias));
  }
}
