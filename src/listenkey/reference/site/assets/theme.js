// Runs before anything is drawn, so that a page does not flash in the other colours.
try {
  const chosen = localStorage.getItem("listenkey-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch (error) {
  // Storage may be shut; the system's choice holds.
}
