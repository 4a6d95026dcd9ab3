"""The vcard connector: python3 -m zipapp makes one file of this folder."""

from contract import serve
from folder import Connector

serve(Connector())
