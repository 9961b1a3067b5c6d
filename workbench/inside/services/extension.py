"""The part of Jupyter's server that leads to services; loaded where there are any."""

from typing import Any

from jupyter_server.extension.application import ExtensionApp

from workbench.inside.services.handler import Client, Service


class Services(ExtensionApp):
    """Serves `services/NAME/`, and tells JupyterLab's pages which there are."""

    name = "workbench_services"

    def initialize_handlers(self) -> None:
        """What browsers ask."""
        server: Any = self.serverapp
        services = server.terms.place.services
        self.client = Client()
        given = {
            "services": {each.name: each for each in services},
            "client": self.client,
            "host_allowlist": [each.host for each in services],
        }
        self.handlers.append((r"/services(?:/([^/]*)(/.*)?)?", Service, given))
        page = server.web_app.settings.setdefault("page_config_data", {})
        page["workbenchServices"] = [{"name": each.name, "title": each.title, "path": each.path} for each in services]

    async def stop_extension(self) -> None:
        """Let go of the services."""
        await self.client.close()
