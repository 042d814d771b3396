/** The whole page takes dropped files. */

/**
 * @param {(file: File) => void} onFile
 */
export function takeDrops(onFile) {
  const root = document.documentElement;
  let depth = 0;
  document.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    root.dataset["dragging"] = "";
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) delete root.dataset["dragging"];
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    delete root.dataset["dragging"];
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
  });
}
