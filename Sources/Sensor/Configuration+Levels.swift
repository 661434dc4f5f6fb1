import Detection

extension Configuration {
    /// Keys of the detectors' levels, each as its detector explains it. ``DetectionSettings/scale`` multiplies them.
    static let levelSettings: [Setting] = [
        .number(
            "detect.scans.ports",
            \.detect.settings.scans.ports,
            3...65535,
            "Ports of one host that one source tries in vain within scans.span: a vertical scan."
        ),
        .number(
            "detect.scans.hosts",
            \.detect.settings.scans.hosts,
            3...65535,
            "Hosts that one source tries in vain within scans.span on a few ports: a horizontal scan."
        ),
        .number(
            "detect.scans.pairs",
            \.detect.settings.scans.pairs,
            3...65535,
            "Pairs of host and port, of many hosts and ports: a block scan."
        ),
        .seconds("detect.scans.span", \.detect.settings.scans.span, 10...86400, "Time in which these are counted."),
        .number(
            "detect.scans.outbound",
            \.detect.settings.scans.outbound,
            0.1...1,
            "By how much these levels are lower for our own hosts: one that scans is infected."
        ),
        .number(
            "detect.scans.slow",
            \.detect.settings.scans.slow,
            3...1000,
            "Targets tried in vain, less those forgotten since: a slow scan."
        ),
        .seconds(
            "detect.scans.forgets",
            \.detect.settings.scans.forgets,
            60...86400,
            "Time after which a slow scan's target is forgotten."
        ),
        .seconds(
            "detect.scans.silence",
            \.detect.settings.scans.silence,
            1...60,
            "Time after which what was not answered has failed."
        ),
        .number(
            "detect.scans.distributed_ports",
            \.detect.settings.scans.distributedPorts,
            10...65535,
            "Ports of one host that many sources try in vain together: a distributed scan."
        ),
        .number(
            "detect.scans.distributed_sources",
            \.detect.settings.scans.distributedSources,
            2...65535,
            "How many sources these are at least."
        ),
        .number(
            "detect.brute_force.guesses",
            \.detect.settings.bruteForce.guesses,
            3...100000,
            "Guesses of one source at one service within brute_force.span."
        ),
        .seconds(
            "detect.brute_force.span",
            \.detect.settings.bruteForce.span,
            10...86400,
            "Time in which these are counted."
        ),
        .number(
            "detect.brute_force.shared_guesses",
            \.detect.settings.bruteForce.sharedGuesses,
            10...1000000,
            "The same of many sources together."
        ),
        .number(
            "detect.floods.synchronize",
            \.detect.settings.floods.synchronize,
            1...1000000000.0,
            unit: "1/s",
            "New connections to one service that do not come about."
        ),
        .number(
            "detect.floods.host_synchronize",
            \.detect.settings.floods.hostSynchronize,
            1...1000000000.0,
            unit: "1/s",
            "The same to all services of one address."
        ),
        .number(
            "detect.floods.unsolicited",
            \.detect.settings.floods.unsolicited,
            1...1000000000.0,
            unit: "1/s",
            "Packets of one kind to one address that answer nothing and that nothing answers."
        ),
        .number(
            "detect.floods.icmp",
            \.detect.settings.floods.icmp,
            1...1000000000.0,
            unit: "1/s",
            "ICMP to one address that nobody asked for."
        ),
        .number(
            "detect.floods.reflection",
            \.detect.settings.floods.reflection,
            1...1000000000.0,
            unit: "1/s",
            "Packets from a port of reflectors that nobody asked for."
        ),
        .number(
            "detect.floods.volume",
            \.detect.settings.floods.volume,
            1...1000000000.0,
            unit: "1/s",
            "Packets to one address, also answered ones, of few flows."
        ),
        .number(
            "detect.floods.bits",
            \.detect.settings.floods.bits,
            1...10000000000000.0,
            unit: "bit/s",
            "The same in bits."
        ),
        .number(
            "detect.floods.prefix",
            \.detect.settings.floods.prefix,
            1...1000000000.0,
            unit: "1/s",
            "Unsolicited packets to a prefix of which no address has half: carpet bombing."
        ),
        .number(
            "detect.floods.interface",
            \.detect.settings.floods.interface,
            1...1000000000.0,
            unit: "1/s",
            "Unsolicited packets in all that no address or prefix explains."
        ),
        .number(
            "detect.floods.requests",
            \.detect.settings.floods.requests,
            1...1000000000.0,
            unit: "1/s",
            "Requests to one web service of clients above floods.client."
        ),
        .number(
            "detect.floods.client",
            \.detect.settings.floods.client,
            1...1000000000.0,
            unit: "1/s",
            "Requests of one client that no person reaches."
        ),
        .number(
            "detect.floods.connections",
            \.detect.settings.floods.connections,
            10...1000000000.0,
            "Connections to one service that say next to nothing."
        ),
        .number(
            "detect.slow.headers_of_client",
            \.detect.settings.slow.headers.ofClient,
            2...65535,
            "Requests whose head never ends: connections that one client holds so."
        ),
        .number(
            "detect.slow.headers_of_service",
            \.detect.settings.slow.headers.ofService,
            2...1000000,
            "Requests whose head never ends: connections of one service."
        ),
        .number(
            "detect.slow.body_of_client",
            \.detect.settings.slow.body.ofClient,
            2...65535,
            "Requests whose body trickles in: connections that one client holds so."
        ),
        .number(
            "detect.slow.body_of_service",
            \.detect.settings.slow.body.ofService,
            2...1000000,
            "Requests whose body trickles in: connections of one service."
        ),
        .number(
            "detect.slow.read_of_client",
            \.detect.settings.slow.read.ofClient,
            2...65535,
            "Answers that are hardly read: connections that one client holds so."
        ),
        .number(
            "detect.slow.read_of_service",
            \.detect.settings.slow.read.ofService,
            2...1000000,
            "Answers that are hardly read: connections of one service."
        ),
        .number(
            "detect.dns_tunnel.bytes_of_minute",
            \.detect.settings.dnsTunnel.bytesOfMinute,
            100...1000000000000.0,
            unit: "bytes",
            "Bytes carried in names and answers below one domain in a minute."
        ),
        .number(
            "detect.dns_tunnel.bytes_of_hour",
            \.detect.settings.dnsTunnel.bytesOfHour,
            100...1000000000000.0,
            unit: "bytes",
            "The same in an hour."
        ),
        .number(
            "detect.dns_tunnel.names_of_minute",
            \.detect.settings.dnsTunnel.namesOfMinute,
            2...1000000000.0,
            "Different names below one domain in a minute."
        ),
        .number(
            "detect.edos.floor",
            \.detect.settings.edos.floor,
            1000...1000000000000000.0,
            unit: "bytes",
            "Load of a service in an hour below which no cost is an incident: bytes out, and edos.request_bytes for each request."
        ),
        .number(
            "detect.edos.request_bytes",
            \.detect.settings.edos.requestBytes,
            0...1000000000.0,
            unit: "bytes",
            "Bytes that cost as much as one request."
        ),
        .number(
            "detect.edos.leech_time",
            \.detect.settings.edos.leechTime,
            0.1...10000,
            unit: "minutes",
            "Time for which one client must go on."
        ),
        .number(
            "detect.edos.download_time",
            \.detect.settings.edos.downloadTime,
            0.1...10000,
            unit: "minutes",
            "The same for fewer than three requests: one very long download."
        ),
        .number(
            "detect.edos.stay_time",
            \.detect.settings.edos.stayTime,
            0.1...10000,
            unit: "minutes",
            "Time that ten clients and more must have stayed together; a tenth of it, that any is looked at."
        ),
        .number("detect.edos.share", \.detect.settings.edos.share, 0.05...1, "Its share in the service's cost."),
        .number(
            "detect.edos.factor",
            \.detect.settings.edos.factor,
            1.01...1000,
            "Times the usual load that is too much."
        ),
        .number(
            "detect.edos.pulse_time",
            \.detect.settings.edos.pulseTime,
            2...10000,
            unit: "minutes",
            "Time that periods of load must take together."
        ),
        .number(
            "detect.edos.held",
            \.detect.settings.edos.held,
            2...65535,
            "Connections that one client holds and hardly uses."
        ),
        .number(
            "detect.edos.held_time",
            \.detect.settings.edos.heldTime,
            0.1...10000,
            unit: "minutes",
            "Time for which they are held, on average."
        ),
        .number("detect.beacon.repeats", \.detect.settings.beacon.repeats, 5...16, "Gaps alike that make a beacon."),
        .number(
            "detect.beacon.time",
            \.detect.settings.beacon.time,
            1...10000,
            unit: "minutes",
            "Time that these must take together."
        ),
        .number(
            "detect.exfiltration.bytes",
            \.detect.settings.exfiltration.bytes,
            1000...1000000000000000.0,
            unit: "bytes",
            "Bytes that a host sends to one peer outside within an hour."
        ),
        .number(
            "detect.exfiltration.asymmetry",
            \.detect.settings.exfiltration.asymmetry,
            1...1000,
            "Times what it receives from there."
        ),
        .number(
            "detect.change.shift",
            \.detect.settings.change.shift,
            0.01...1,
            "Change of a normalised entropy below which none is an incident."
        ),
        .prices(
            "detect.prices.per_gb",
            \.detect.settings.edos.prices.perGB,
            "Price of 10^9 bytes that a service sends; 0: none is known."
        ),
        .prices(
            "detect.prices.per_million_requests",
            \.detect.settings.edos.prices.perMillionRequests,
            "Price of 10^6 requests; 0: none is known."
        ),
        .prices(
            "detect.prices.per_instance_hour",
            \.detect.settings.edos.prices.perInstanceHour,
            "Price of an hour of one instance; 0: none is known."
        ),
        .prices(
            "detect.prices.monthly_budget",
            \.detect.settings.edos.prices.monthlyBudget,
            "What may be spent in a month; 0: no budget."
        ),
    ]
}

extension Setting {
    /// An amount that may be unknown, which is written as 0.
    fileprivate static func prices(_ key: String, _ path: any Path<Double?>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "0 to 1000000000",
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let number = Double(values.first ?? ""), (0...1e9).contains(number) else { return Self.refusal }
                configuration[keyPath: path] = number == 0 ? nil : number
                return nil
            },
            get: { configuration in [configuration[keyPath: path].map { "\($0)" } ?? "0"] }
        )
    }
}
