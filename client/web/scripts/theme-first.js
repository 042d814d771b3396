// Before the page is drawn: the colours that were chosen last, so that nothing flashes. A plain script, for it must
// not wait as modules do; `page/theme.js` has the switch.
(() => {
  try {
    const asked = new URLSearchParams(location.search).get("theme");
    const stored = JSON.parse(localStorage.getItem("visavis-preferences") ?? "{}").theme;
    const theme = asked ?? stored;
    if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
  } catch {
    // A browser that stores nothing shows the system's colours.
  }
})();
