/* Each press is told to the page with all that came before it, as the newest state is the only one that surely
   arrives; see press_bar.py. */
const KEPT = 100;
const bars = new WeakMap();

function makeBar(rows, names, element) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), each => each.toString(16)).join("");
  const bar = {id, count: 0, last: [], names, buttons: []};
  element.replaceChildren(...rows.map(row => {
    const line = document.createElement("div");
    for (const {name, icon, keys, hint} of row) {
      const button = document.createElement("button");
      button.type = "button";
      if (keys.length) button.setAttribute("aria-keyshortcuts", keys.join(" ").replaceAll("Ctrl", "Control"));
      if (icon) {
        const symbol = document.createElement("span");
        symbol.className = "ink-symbol";
        symbol.textContent = icon;
        symbol.ariaHidden = "true";
        button.append(symbol);
      }
      button.append(name);
      if (hint) {
        const key = document.createElement("kbd");
        key.textContent = hint;
        key.ariaHidden = "true";
        button.append(key);
      }
      line.append(button);
      bar.buttons.push(button);
    }
    return line;
  }));
  return bar;
}

const isTyped = target => target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
const isCommand = event => event.ctrlKey || event.metaKey;
/* With Ctrl, the letter is the same with caps lock */
const named = event => isCommand(event) ? `Ctrl+${event.shiftKey ? "Shift+" : ""}${event.key.toLowerCase()}` : event.key;

/* The button that a key presses: that of exactly this key, else of the same letter, small or capital. */
function pressedBy(event, buttons) {
  if (event.altKey || isTyped(event.composedPath()[0])) return undefined;
  if (event.repeat && !isCommand(event)) return undefined; // a key held down labels one picture
  const wanted = named(event);
  return buttons.find(each => each.keys.includes(wanted))
    ?? buttons.find(each => each.keys.some(key => key.toLowerCase() === wanted.toLowerCase()));
}

export default function ({data, parentElement, setStateValue}) {
  const element = parentElement.querySelector(".ink-presses");
  const buttons = data.rows.flat();
  const names = JSON.stringify(data.rows.map(row => row.map(each => each.name)));
  let bar = bars.get(element);
  removeEventListener("keydown", bar?.onKey, true);
  if (bar?.names !== names) bars.set(element, bar = makeBar(data.rows, names, element));
  const press = async name => {
    const shown = document.querySelector("[data-shown]")?.dataset.shown ?? null; // it may be newer than this bar
    await window.inkReported; // a stroke that ended just before; an undo would take it off the canvas unreported
    bar.count += 1;
    bar.last = [...bar.last, [name, shown]].slice(-KEPT);
    setStateValue("presses", {bar: bar.id, count: bar.count, last: bar.last});
  };
  buttons.forEach(({name, enabled}, i) => {
    bar.buttons[i].disabled = !enabled;
    bar.buttons[i].onclick = () => press(name);
  });
  /* It stays until the next is there: one that is taken away before, as Streamlit does, misses keys in between */
  const onKey = event => {
    if (!element.isConnected) return removeEventListener("keydown", onKey, true); // another page is shown
    const button = pressedBy(event, buttons);
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // Streamlit has keys of its own
    press(button.name); // also of a disabled one: what is shown may be newer than this bar
  };
  addEventListener("keydown", bar.onKey = onKey, true);
}
