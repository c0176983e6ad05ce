/** One that each connection prepares once, under its name. */
export interface Statement {
  name: string;
  text: string;
}

export const statement = (name: string, text: string): Statement => ({ name: `reroll ${name}`, text });
