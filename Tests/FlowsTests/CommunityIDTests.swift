import Flows
import Packets
import Testing

/// The specification's tables (https://github.com/corelight/community-id-spec, baseline/README.md): "default settings" and
/// "a custom seed=1 value", and of baseline_deflt.json the rows that these do not cover.
@Suite struct CommunityIDTests {
    struct Row: Sendable {
        let protocolNumber: UInt8
        let source: String
        let destination: String
        let ports: [UInt16]
        let text: String
        var seed: UInt16 = 0
    }

    static let v6 = ("fe80:0001:0203:0405:0607:0809:0A0B:0C0D", "fe80:1011:1213:1415:1617:1819:1A1B:1C1D")

    private static func both(
        _ protocolNumber: UInt8,
        between ends: (String, String) = ("1.2.3.4", "5.6.7.8"),
        _ ports: [UInt16],
        back: [UInt16]? = nil,
        _ texts: String...
    ) -> [Row] {
        texts.enumerated().flatMap { seed, text in
            [
                Row(
                    protocolNumber: protocolNumber,
                    source: ends.0,
                    destination: ends.1,
                    ports: ports,
                    text: text,
                    seed: UInt16(seed)
                ),
                Row(
                    protocolNumber: protocolNumber,
                    source: ends.1,
                    destination: ends.0,
                    ports: back ?? ports.reversed(),
                    text: text,
                    seed: UInt16(seed)
                ),
            ]
        }
    }

    private static func oneWay(
        _ protocolNumber: UInt8,
        between ends: (String, String) = ("1.2.3.4", "5.6.7.8"),
        _ ports: [UInt16],
        _ texts: String...
    ) -> [Row] {
        texts.enumerated().map { seed, text in
            Row(
                protocolNumber: protocolNumber,
                source: ends.0,
                destination: ends.1,
                ports: ports,
                text: text,
                seed: UInt16(seed)
            )
        }
    }

    static let rows: [Row] = [
        both(6, [1_122, 3_344], "1:wCb3OG7yAFWelaUydu0D+125CLM=", "1:HhA1B+6CoLbiKPEs5nhNYN4XWfk="),
        both(17, [1_122, 3_344], "1:0Mu9InQx6z4ZiCZM/7HXi2WMhOg=", "1:OShq+iKDAMVouh/4bMxB9Sz4amw="),
        both(132, [1_122, 3_344], "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8=", "1:uitchpn5MMGAQKBJh7bIr/bAr7s="),
        both(1, [8, 0], back: [0, 0], "1:crodRHL2FEsHjbv3UkRrfbs4bZ0=", "1:9pr4ZGTICiuZoIh90RRYE2RyXpU="),
        oneWay(1, [11, 0], "1:f/YiSyWqczrTgfUCZlBUnvHRcPk=", "1:1DD7cWGC/Yg91YGsQeni8du3pIA="),
        both(
            58,
            between: v6,
            [128, 0],
            back: [129, 0],
            "1:0bf7hyMJUwt3fMED7z8LIfRpBeo=",
            "1:IO27GQzPuCtNnwFvjWALMHu5tJE="
        ),
        oneWay(58, between: v6, [146, 0], "1:fYC8+pz24E+EhANP1EZhpX0Dw10=", "1:Cv4IKJe56BNkF0MBW2YxQ3Nwc3s="),
        both(46, [], "1:ikv3kmf89luf73WPz1jOs49S768=", "1:/buhqeOmaRCopOZFy9HnoJd5XW8="),
        both(46, between: v6, [], "1:wQ/2mwrnXP4lmJcHdGL5ePjR+e0=", "1:j6EyyfBzL4vWKHFXgUqb5Az3OxM="),
        both(
            58,
            between: ("fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea"),
            [135, 0],
            back: [136, 0],
            "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="
        ),
        both(
            58,
            between: ("fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da"),
            [135, 0],
            back: [136, 0],
            "1:zavyT/cezQr1fmImYCwYnMXbgck=",
            "1:2hSqmsDZ2kdcY9kbiUzOEBic0iM="
        ),
        oneWay(
            58,
            between: ("3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da"),
            [3, 0],
            "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="
        ),
        oneWay(
            58,
            between: ("3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da"),
            [1, 4],
            "1:hLZd0XGWojozrvxqE0dWB1iM6R0="
        ),
        oneWay(58, between: ("fe80::200:86ff:fe05:80da", "ff02::2"), [133, 0], "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="),
        oneWay(58, between: ("fe80::260:97ff:fe07:69ea", "ff02::1"), [134, 0], "1:pkvHqCL88/tg1k4cPigmZXUtL00="),
        both(
            6,
            between: ("2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a"),
            [63_943, 25],
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="
        ),
        both(132, between: ("192.168.170.8", "192.168.170.56"), [7, 7], "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        both(6, between: ("128.232.110.120", "66.35.250.204"), [34_855, 80], "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        both(17, between: ("192.168.1.52", "8.8.8.8"), [54_585, 53], "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ].flatMap { $0 }

    @Test(arguments: rows)
    func agreesWithTheSpecification(row: Row) throws {
        let (source, family) = try #require(parse(row.source))
        let (destination, _) = try #require(parse(row.destination))
        let identifier = CommunityID(
            source: source,
            destination: destination,
            family: family,
            protocolNumber: row.protocolNumber,
            ports: row.ports.isEmpty ? nil : (source: row.ports[0], destination: row.ports[1]),
            seed: row.seed
        )
        #expect(identifier?.description == row.text)
    }

    /// With one address at both ends, the ports decide.
    @Test func portsOrderTheEndsOfOneAddress() throws {
        let (address, family) = try #require(parse("127.0.0.1"))
        let identifiers = [(80, 1_234), (1_234, 80)].map { (source: UInt16, destination: UInt16) in
            CommunityID(
                source: address,
                destination: address,
                family: family,
                protocolNumber: 6,
                ports: (source: source, destination: destination)
            )
        }
        #expect(identifiers[0] == identifiers[1])
        #expect(identifiers[0] != nil)
    }

    @Test func nothingButIP() {
        let identifier = CommunityID(
            source: .zero,
            destination: .zero,
            family: .other,
            protocolNumber: 6,
            ports: nil
        )
        #expect(identifier == nil)
    }

    private func parse(_ text: String) -> (Address, Family)? {
        if text.contains(".") {
            let bytes = text.split(separator: ".").compactMap { UInt32($0) }
            return bytes.count == 4 ? (Address(ipv4: bytes.reduce(0) { $0 << 8 | $1 }), .ipv4) : nil
        }
        let halves = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let gap = halves.firstIndex(of: "")
        let head = halves[..<(gap ?? halves.count)].compactMap { UInt64($0, radix: 16) }
        let tail = gap.map { halves[($0 + 1)...].compactMap { UInt64($0, radix: 16) } } ?? []
        let groups = head + [UInt64](repeating: 0, count: 8 - head.count - tail.count) + tail
        let high = groups[..<4].reduce(0) { $0 << 16 | $1 }
        return (Address(high: high, low: groups[4...].reduce(0) { $0 << 16 | $1 }), .ipv6)
    }
}
