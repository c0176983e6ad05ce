import { createLogUpdate } from 'log-update';
import type { Run, RunEvent } from '../runtime/index.js';
import { emptyView, render, see } from './view.js';

/** Shows a run as it goes. */
export interface Display {
  show(event: RunEvent): void;
  note(text: string): void;
  close(): void;
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
  return {
    show: (event) => see(view, event),
    note: (text) => see(view, { type: 'warning', message: text }),
    close() {
      clearInterval(timer);
      draw();
      update.done();
    },
  };
}

function plainDisplay(): Display {
  const line = (text: string) => void process.stderr.write(text.replace(/\s*\n\s*/g, ' ') + '\n');
  return {
    show(event) {
      if (event.type === 'backend')
        line(`${event.backend} is ${event.state}${event.reason ? `: ${event.reason}` : ''}`);
      if (event.type === 'server-error') line(`${event.key.shot}.${event.key.number}: ${event.message}`);
      if (event.type === 'shot-ended') {
        line(
          `shot ${event.shot} ${event.outcome}${event.published ? `: ${event.published}` : ''}${event.reason ? `: ${event.reason}` : ''}`,
        );
      }
      if (event.type === 'warning') line(event.message);
    },
    note: line,
    close: () => undefined,
  };
}
