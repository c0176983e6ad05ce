export const style = `
:root {
  color-scheme: light dark;
  --paper: #f7f6f3; --card: #fff; --ink: #23211d; --soft: #6d6961; --line: #e4e1da;
  --good: #3c7a5a; --bad: #b4533a; --kept: #9a7420; --bar: #d9e6de; --bar-bad: #f1ddd6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #191817; --card: #232220; --ink: #ebe8e2; --soft: #a09b91; --line: #383632;
    --good: #7fbf9c; --bad: #e0937c; --kept: #d6b25e; --bar: #2c3f35; --bar-bad: #47302a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1240px; padding: 48px 28px 72px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { margin: 0; font-size: 30px; font-weight: 650; letter-spacing: -0.02em; }
h2 { margin: 56px 0 4px; font-size: 19px; font-weight: 650; letter-spacing: -0.01em; }
p { margin: 4px 0 0; max-width: 72ch; color: var(--soft); }
p b, li b { color: var(--ink); }
a { color: inherit; }
.tiles { display: grid; grid-template-columns: repeat(var(--wide), minmax(0, 1fr)); gap: 12px; margin-top: 28px; }
.tile, .panel, figure { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 16px 18px; }
.tile b { display: block; font-size: 28px; font-weight: 600; line-height: 1.2; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
@media (max-width: 1000px) { .tiles { grid-template-columns: repeat(var(--narrow), minmax(0, 1fr)); } }
@media (max-width: 640px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
}
.tile.good b { color: var(--good); } .tile.bad b { color: var(--bad); } .tile.kept b { color: var(--kept); }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 12px; margin-top: 12px; }
.panel { padding: 18px 20px; }
.panel h2 { margin: 0; font-size: 15px; }
.panel p { max-width: 110ch; font-size: 13px; }
svg { display: block; width: 100%; height: auto; margin-top: 10px; }
svg text { fill: var(--ink); font-size: 12px; text-anchor: middle; font-variant-numeric: tabular-nums; }
svg .name, svg .note { fill: var(--soft); } svg .note { font-size: 10.5px; } svg line { stroke: var(--line); }
.bar { fill: var(--good); } .panel.bad .bar { fill: var(--bad); }
.split { display: flex; gap: 2px; height: 14px; margin: 10px 0 4px; border-radius: 7px; overflow: hidden; background: var(--bar); }
.split i { width: var(--share); background: var(--bad); }
.truth { display: grid; grid-template-columns: auto 1fr auto; gap: 2px 14px; align-items: center; margin-top: 12px; }
.truth .split { margin: 0; }
@media (max-width: 640px) {
  .truth { grid-template-columns: 1fr auto; grid-auto-flow: dense; }
  .truth .split { grid-column: 1 / -1; margin-bottom: 8px; }
}
.truth + p { margin-top: 10px; }
.truth output { text-align: right; font-variant-numeric: tabular-nums; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; margin-top: 16px; }
figure { margin: 0; overflow: hidden; display: flex; flex-direction: column; }
figure a, .gone { display: block; aspect-ratio: 1; background: var(--line); }
figure img { display: block; width: 100%; height: 100%; object-fit: contain; }
figure a:focus-visible { outline: 3px solid var(--good); outline-offset: -3px; }
.gone { padding: 16px; color: var(--soft); font-size: 12px; overflow-wrap: anywhere; }
figcaption { padding: 10px 12px 12px; font-size: 12px; display: flex; flex-direction: column; gap: 6px; flex: 1; }
.who { display: flex; flex-wrap: wrap; gap: 0 6px; overflow-wrap: anywhere; }
.who b { font-weight: 600; } .who span, .how { color: var(--soft); }
.how { margin-top: auto; font-variant-numeric: tabular-nums; }
.rule { color: var(--bad); overflow-wrap: anywhere; } .kept .rule { color: var(--kept); }
dl { margin: 0 -6px; display: grid; grid-template-columns: minmax(0, 1fr); gap: 2px; }
dl div {
  display: flex; justify-content: space-between; gap: 8px; padding: 1px 6px; border-radius: 4px;
  background: linear-gradient(var(--bar) 0 0) left / var(--share) 100% no-repeat;
}
.rejected dl div, .kept dl div { background-image: linear-gradient(var(--bar-bad) 0 0); }
dt { overflow-wrap: anywhere; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
ul { margin: 10px 0 0; padding-left: 20px; color: var(--soft); }
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
@media print { body { max-width: none; padding: 0; } figure, .tile, .panel { break-inside: avoid; } }
`;
