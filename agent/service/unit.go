package service

import (
	"os/user"
	"strings"
)

// tpmGroup may use the TPM, where the system has given it a group.
const tpmGroup = "tss"

// unit is the systemd unit: a template of kardianos/service, which puts in the
// path of the executable. The service may write to its data folder alone, gains
// no rights, and sees no devices, no homes and nobody else's temporary files.
// It may read files of other accounts, as HR exports often are.
func unit(in Installation) string {
	devices := "PrivateDevices=yes"
	if in.TPM != "" {
		devices = "DevicePolicy=closed\nDeviceAllow=" + in.TPM + " rw"
		if _, err := user.LookupGroup(tpmGroup); err == nil {
			devices += "\nSupplementaryGroups=" + tpmGroup
		}
	}
	return strings.NewReplacer("@DATA@", in.Data, "@DEVICES@", devices).Replace(`[Unit]
Description={{Description}}
Documentation=https://github.com/drawbridge-id/drawbridge/tree/main/agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={{Path | cmdEscape}}{{range Arguments}} {{. | cmd}}{{end}}
{{if UserName}}User={{UserName}}
{{end}}Restart=always
RestartSec=5
TimeoutStopSec=20
KillMode=mixed
UMask=0077
ReadWritePaths=@DATA@
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
@DEVICES@
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
AmbientCapabilities=
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`)
}
