import { createLogUpdate } from 'log-update';
import type { Run, RunEvent } from '../runtime/index.js';
import { warn } from './print.js';
import { teller } from './tell.js';
import { emptyView, end, note, render, see } from './view.js';

/** Shows a run as it goes. */
export interface Display {
  show(event: RunEvent): void;
  note(text: string): void;
  /** The last frame says how the run stands. Again, it does nothing. */
  close(): void;
  /** Nobody looks on, and the run goes on. */
  leave(): void;
}

const frameMs = 150;

/** Live lines on a terminal; elsewhere one plain line for each thing worth a line in a log. */
export function openDisplay(run: Pick<Run, 'id' | 'shots'>, backends: readonly string[]): Display {
  return process.stderr.isTTY ? liveDisplay(run, backends) : plainDisplay();
}

function liveDisplay({ id, shots }: Pick<Run, 'id' | 'shots'>, backends: readonly string[]): Display {
  const view = emptyView(id, shots, backends);
  const update = createLogUpdate(process.stderr);
  const draw = () => update(render(view, process.stderr.columns || 80));
  const timer = setInterval(draw, frameMs);
  let isOpen = true;
  const stop = (last: () => void) => {
    if (!isOpen) return;
    isOpen = false;
    clearInterval(timer);
    last();
    draw();
    update.done();
  };
  return {
    show: (event) => see(view, event),
    note: (text) => note(view, text),
    close: () => stop(() => end(view)),
    leave: () => stop(() => undefined),
  };
}

function plainDisplay(): Display {
  const line = (text: string) => warn(text.replaceAll('\n', ' '));
  const tell = teller();
  return {
    show(event) {
      const words = tell(event);
      if (words !== undefined) line(words);
    },
    note: line,
    close: () => undefined,
    leave: () => undefined,
  };
}
