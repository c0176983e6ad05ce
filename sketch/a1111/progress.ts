import { preview } from '../pictures.js';
import type { Request } from './fields.js';
import type { Webui } from './webui.js';

/** GET /sdapi/v1/progress: about the whole server, not about one task. */
export async function progress(webui: Webui, skipImage: boolean): Promise<Record<string, unknown>> {
  const { state, family } = webui;
  const id = family.isSdNext ? { id: webui.tasks.current ?? null } : {};
  if (state.jobCount === 0) {
    return { ...id, progress: 0, eta_relative: 0, state: state.json(), current_image: null, textinfo: null };
  }
  const share = Math.min(1, 0.01 + state.share());
  const elapsed = state.elapsedSeconds();
  const answer = {
    ...id,
    progress: share,
    eta_relative: elapsed / share - elapsed,
    state: state.json(),
    current_image: null as string | null,
    textinfo: null,
  };
  if (!skipImage && state.picture !== undefined) {
    answer.current_image = (await preview(state.picture, state.share())).toString('base64');
  }
  return answer;
}

/** POST /internal/progress: about one task. */
export async function askProgress(webui: Webui, body: Request): Promise<Record<string, unknown>> {
  const { state, tasks } = webui;
  const id = body.text('id_task');
  const active = id === tasks.current;
  const queued = tasks.pending.has(id);
  const completed = tasks.isFinished(id);
  const nothing = { active, queued, completed, progress: null, eta: null, live_preview: null };
  if (!active) {
    const place = [...tasks.pending].indexOf(id) + 1;
    const textinfo = queued ? `In queue: ${place}/${tasks.pending.size}` : 'Waiting...';
    return { ...nothing, id_live_preview: -1, textinfo };
  }
  const share = state.share();
  const elapsed = state.elapsedSeconds();
  // A new picture every ten steps (opts.show_progress_every_n_steps), one further id for each.
  const step = state.jobNo * state.samplingSteps + state.samplingStep;
  const pictureId = Math.floor(step / 10);
  const old = body.number('id_live_preview');
  const shows =
    body.flag('live_preview') && state.picture !== undefined && pictureId > 0 && pictureId !== old;
  const picture = shows && state.picture !== undefined ? await preview(state.picture, share) : undefined;
  return {
    active,
    queued,
    completed,
    progress: share,
    eta: share > 0 ? elapsed / share - elapsed : null,
    live_preview: picture === undefined ? null : `data:image/jpeg;base64,${picture.toString('base64')}`,
    id_live_preview: picture === undefined ? old : pictureId,
    textinfo: null,
  };
}
