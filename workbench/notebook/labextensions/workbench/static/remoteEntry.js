/* What JupyterLab loads: a module-federation container, written by hand. It gives the plugins JupyterLab's own copies
 * of its packages. */
(() => {
  const here = document.currentScript.src;
  let scope = {};

  /** JupyterLab's own copy of a package; nothing for one that this front end does not have. */
  async function share(name) {
    const [offered] = Object.values(scope[name] ?? {});
    return offered && (await offered.get())();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.workbench = {
    init: (found) => {
      scope = found;
    },
    get: async () => {
      const { plugins } = await import(new URL("plugins.js", here));
      const found = await plugins(share);
      return () => ({ __esModule: true, default: found });
    },
  };
})();
