import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Whether a process of this machine is stopped (Ctrl-Z, SIGSTOP): it lives, and answers nobody. */
export async function isSuspended(pid: number): Promise<boolean> {
  try {
    if (process.platform === 'win32') return false;
    if (process.platform !== 'linux') {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)]);
      return stdout.trim().startsWith('T');
    }
    // `pid (name) state ...`: the name may hold anything.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
