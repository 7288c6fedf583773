// Buttons that copy a command. Without a script they stay hidden, and the command can be selected.
function showCopyButtons() {
  for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

// Whether somebody fills in a form of this part of a page, or reads what they have opened.
function isInUse(part) {
  const focused = document.activeElement?.matches("input, select, textarea") && part.contains(document.activeElement);
  const filled = [...part.querySelectorAll("input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
  return focused || filled || part.querySelector("details[open]") !== null;
}

// A page in the background is not loaded again and again, and a part in use stays as it is.
document.addEventListener("htmx:beforeRequest", (event) => {
  const isTimed = event.target.matches("[hx-trigger^=every]");
  if (isTimed && (document.hidden || isInUse(event.target))) event.preventDefault();
});

document.addEventListener("htmx:afterSwap", showCopyButtons);
showCopyButtons();
