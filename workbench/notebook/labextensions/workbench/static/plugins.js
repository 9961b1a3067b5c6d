// @ts-check
/* The panel in JupyterLab: a sidebar, an output, a switch in every notebook's toolbar, and a page that outlives
 * restarts of its server. And a tile in the launcher for each service with a web interface. */

import { watch } from "./connection.js";
import { deviceSwitch, look, mount, question, refusal } from "./panel.js";
import { Store } from "./store.js";

const MIME = "application/vnd.workbench.panel+json";
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161" fill-rule="evenodd">
    <path d="M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm0 2v14h14V5z"/>
    <path d="M6.5 11.2h2.6l1.9-4.4 3 9 1.6-4.6h1.9v1.8h-.7l-2.8 7-3.1-9-.6 2H6.5z"/>
  </g></svg>`;
const SERVICE_ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24" fill="none">
  <path class="jp-icon3" stroke="#616161" stroke-width="2" d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/></svg>`;

/**
 * @param {(name: string) => Promise<any>} share gives JupyterLab's own copy of a package
 */
export async function plugins(share) {
  const names = ["application", "apputils", "console", "coreutils", "docmanager", "notebook", "rendermime", "services"];
  const more = ["@jupyterlab/ui-components", "@lumino/widgets", "@jupyterlab/launcher"];
  const found = await Promise.all([...names.map((name) => `@jupyterlab/${name}`), ...more].map(share));
  const [application, apputils, consoles, coreutils, documents, notebook, rendermime, services, ...rest] = found;
  const [ui, widgets, launchers] = rest;
  const { INotebookTracker } = notebook;
  const { Widget } = widgets;
  /** @type {Store | undefined} */
  let store;

  /** The page's one store. */
  function storeOf(app) {
    const settings = app.serviceManager.serverSettings;
    const base = `${settings.baseUrl}workbench/api/`;
    const { makeRequest } = services.ServerConnection;
    return (store ??= new Store((path, init = {}) => makeRequest(base + path, init, settings)));
  }

  /** A source for the panel that belongs to a notebook, which may be another one at each moment. */
  function sourceOf(app, manager, notebookOf) {
    const store = storeOf(app);
    return {
      state: () => store.state,
      link: () => store.link,
      subscribe: (listener) => store.subscribe(listener),
      send: (verb, args) => store.send(verb, args),
      notebook: () => described(store.state, notebookOf()),
      choose: (device) => choose(store.state, notebookOf(), device),
      save: () => saveAll(app, manager),
      base: new URL(app.serviceManager.serverSettings.baseUrl, location.href).href,
    };
  }

  /** The panel in a widget of JupyterLab's. */
  class PanelWidget extends Widget {
    /** @param {(widget: any) => any} makeSource */
    constructor(makeSource) {
      super();
      this.addClass("wb-host");
      this.mounted = mount(this.node, makeSource(this));
    }
    /** An output is shown again when it changes; this one shows what is now. */
    async renderModel() {}
    dispose() {
      if (!this.isDisposed) this.mounted.dispose();
      super.dispose();
    }
  }

  const sidebar = {
    id: "workbench:sidebar",
    autoStart: true,
    requires: [INotebookTracker, documents.IDocumentManager],
    optional: [application.ILayoutRestorer, apputils.ICommandPalette],
    activate(app, notebooks, manager, restorer, palette) {
      addStyle();
      const store = storeOf(app);
      follow(notebooks, store);
      const panel = new PanelWidget(() => sourceOf(app, manager, () => notebooks.currentWidget));
      panel.id = "workbench-panel";
      panel.title.caption = "Workbench";
      panel.title.icon = new ui.LabIcon({ name: "workbench:panel", svgstr: ICON });
      app.shell.add(panel, "right", { rank: 200 });
      restorer?.add(panel, panel.id);
      const command = "workbench:show";
      const execute = () => app.shell.activateById(panel.id);
      app.commands.addCommand(command, { label: "Show the Workbench", execute });
      palette?.addItem({ command, category: "Workbench" });
    },
  };

  const mime = {
    id: "workbench:mime",
    autoStart: true,
    requires: [rendermime.IRenderMimeRegistry, INotebookTracker, documents.IDocumentManager],
    activate(app, registry, notebooks, manager) {
      const within = (widget) => notebooks.find((panel) => panel.node.contains(widget.node)) ?? notebooks.currentWidget;
      const createRenderer = () => new PanelWidget((widget) => sourceOf(app, manager, () => within(widget)));
      // Before the widget (-10) that the same output also has, which would end with its kernel.
      registry.addFactory({ safe: true, mimeTypes: [MIME], createRenderer }, -20);
    },
  };

  const toolbar = {
    id: "workbench:toolbar",
    autoStart: true,
    requires: [apputils.IToolbarWidgetRegistry, INotebookTracker, documents.IDocumentManager],
    activate(app, registry, notebooks, manager) {
      registry.addFactory("Notebook", "workbenchDevice", (panel) => {
        const source = sourceOf(app, manager, () => panel);
        const choice = deviceSwitch((device) => pick(source, device, apputils));
        const widget = new Widget({ node: choice.node });
        const draw = () => drawSwitch(choice, look(source));
        widget.disposed.connect(source.subscribe(draw));
        draw();
        return widget;
      });
      notebooks.widgetAdded.connect((_, panel) => knownKernel(panel.sessionContext));
    },
  };

  const connection = {
    id: "workbench:connection",
    autoStart: true,
    requires: [INotebookTracker],
    optional: [consoles.IConsoleTracker],
    provides: application.IConnectionLost,
    activate(app, ...trackers) {
      const contexts = () => trackers.flatMap((tracker) => contextsOf(tracker));
      const { Dialog, Notification } = apputils;
      watch({ store: storeOf(app), services: app.serviceManager, contexts, Dialog, Notification, Widget });
      // JupyterLab says here that it has lost the server. The store knows by itself, and says it better.
      return async () => {};
    },
  };

  const tiles = {
    id: "workbench:services",
    autoStart: true,
    optional: [apputils.ICommandPalette, ...(launchers ? [launchers.ILauncher] : [])],
    activate(app, palette, launcher) {
      const icon = new ui.LabIcon({ name: "workbench:service", svgstr: SERVICE_ICON });
      const base = `${coreutils.PageConfig.getBaseUrl()}services/`;
      const category = "Services";
      webServices(coreutils.PageConfig).forEach(({ name, title, path }, rank) => {
        const command = `workbench:open-${name}`;
        // In a tab of its own: a page in a frame would be smaller, and lost with a reload of this one.
        const execute = () => void window.open(`${base}${name}${path}`, "_blank", "noopener");
        const caption = `Open ${title} in a new browser tab`;
        const label = (args) => (args.isPalette ? `Open ${title}` : title);
        app.commands.addCommand(command, { label, caption, icon, execute });
        launcher?.add({ command, category, rank });
        palette?.addItem({ command, category, args: { isPalette: true } });
      });
    },
  };

  // On a hub JupyterLab's own way is better: it offers to start the server again.
  const hub = coreutils.PageConfig.getOption("hubPrefix");
  return [sidebar, mime, toolbar, tiles, ...(hub ? [] : [connection])];
}

/** Our looks, once a page. */
function addStyle() {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet" });
  link.href = new URL("panel.css", import.meta.url).href;
  document.head.append(link);
}

/** The services with a web interface, as the server has put them on the page. */
function webServices(page) {
  return JSON.parse(page.getOption("workbenchServices") || "[]");
}

function contextsOf(tracker) {
  const found = [];
  tracker?.forEach((widget) => found.push(widget.sessionContext));
  return found;
}

/** Tell the views when a notebook changes its kernel, or another one is in front. */
function follow(notebooks, store) {
  const tell = () => store.tell();
  notebooks.currentChanged.connect(tell);
  notebooks.widgetAdded.connect((_, panel) => panel.sessionContext.kernelChanged.connect(tell));
}

/** Name and device of a notebook. */
function described(state, panel) {
  if (!panel || panel.isDisposed) return null;
  const kernel = panel.sessionContext.session?.kernel?.name;
  const device = Object.keys(state?.device.kernels ?? {}).find((one) => state.device.kernels[one] === kernel);
  return { name: panel.context.path.split("/").pop(), device: device ?? null };
}

/** Save a notebook and change its kernel. */
async function choose(state, panel, device) {
  if (!panel) throw { message: "No notebook is open.", hint: "Each notebook has a device of its own." };
  if (panel.context.model.dirty) await panel.context.save();
  await panel.sessionContext.changeKernel({ name: state.device.kernels[device] });
}

async function saveAll(app, manager) {
  const contexts = [...app.shell.widgets("main")].map((widget) => manager.contextForWidget(widget));
  const dirty = contexts.filter((context) => context?.model.dirty && !context.model.readOnly);
  await Promise.all([...new Set(dirty)].map((context) => context.save()));
}

/** In a toolbar: where there is no GPU to be had there is no choice to show. */
function drawSwitch(choice, view) {
  const { doc, notebook } = view;
  choice.node.hidden = !doc || !(doc.device.kernels.gpu || doc.device.possible);
  if (doc) choice.draw(notebook?.device ?? null, doc.action?.device ?? null, (device) => refusal(view, device));
}

/** Choose a device in a toolbar: what remakes the container asks first. */
async function pick(source, device, { Dialog, showDialog, showErrorMessage }) {
  const doc = source.state();
  if (device === source.notebook()?.device) return;
  try {
    if (doc.device.kernels[device]) return void (await source.choose(device));
    const { title, does, lost, accept } = question(doc, "set_device", { device });
    const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label: accept })];
    if (!(await showDialog({ title, body: `${does} ${lost}`, buttons })).button.accept) return;
    await source.save();
    await source.send("set_device", { device });
  } catch (error) {
    await showErrorMessage("The device stays as it is", [error.message, error.hint].filter(Boolean).join(" "));
  }
}

/** A Python notebook from elsewhere opens on this workbench's Python, without a question. */
function knownKernel(context) {
  context.kernelPreferenceChanged.connect((_, { newValue: wanted }) => {
    const known = context.specsManager.specs?.kernelspecs ?? {};
    if (wanted.language === "python" && wanted.name && known.python3 && !known[wanted.name])
      context.kernelPreference = { ...wanted, name: "python3" };
  });
}
