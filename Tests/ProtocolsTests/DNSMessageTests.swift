import Testing

@testable import Protocols

@Suite struct DNSMessageTests {
    @Test func `A question is read with its name, type, and where it ends`() throws {
        let query = DNSQuestion("www.Example.ORG", type: 16)
        let message = try DNSMessage(query.bytes, length: query.bytes.count)
        #expect(!message.isResponse)
        #expect(message.type == DNSMessage.RecordType.text)
        #expect(message.questionEnd == query.bytes.count)
        #expect(message.name.end == query.bytes.count - 4)
        #expect(query.domain(message) == "example.org")
        #expect(message.name.labelsBelow == 1)
        #expect(message.name.bytesBelow == 3)
        let answer = DNSQuestion("www.example.org", type: 16, flags: 0x8183)
        let reply = try DNSMessage(answer.bytes, length: answer.bytes.count)
        #expect(reply.isResponse)
        #expect(reply.responseCode == 3)
        // Case says nothing.
        #expect(answer.hashes(reply) == query.hashes(message))
        let other = DNSQuestion("www2.example.org")
        let unlike = other.hashes(try DNSMessage(other.bytes, length: other.bytes.count))
        #expect(unlike[0] != query.hashes(message)[0])
        #expect(unlike[1] == query.hashes(message)[1])
    }

    @Test(arguments: [
        ("example.org", "example.org", 0, 0), ("a.b.example.org", "example.org", 2, 2), ("org", "org", 0, 0),
        ("www.bbc.co.uk", "bbc.co.uk", 1, 3), ("bbc.co.uk", "bbc.co.uk", 0, 0), ("co.uk", "co.uk", 0, 0),
        ("x.abc.de", "abc.de", 1, 1), ("x.y.com.au", "y.com.au", 1, 1), ("x.y.com.example", "com.example", 2, 2),
        ("", "", 0, 0),
    ])
    func `Domains are told from what stands below them`(name: String, domain: String, labels: Int, bytes: Int) throws {
        let query = DNSQuestion(name)
        let message = try DNSMessage(query.bytes, length: query.bytes.count)
        #expect(query.domain(message) == domain)
        #expect(message.name.labelsBelow == labels)
        #expect(message.name.bytesBelow == bytes)
    }

    @Test func `Names for a protocol's use are told`() throws {
        let names = [
            ("_dmarc.example.org", true), ("s1._domainkey.example.org", true), ("a_b.example.org", false),
            ("www._example.org", false),
        ]
        for (name, isUnderscored) in names {
            let query = DNSQuestion(name)
            let message = try DNSMessage(query.bytes, length: query.bytes.count)
            #expect(message.name.isUnderscored == isUnderscored, "\(name)")
        }
    }

    @Test func `Cut short anywhere, a message is cut, or too short`() {
        let whole = DNSQuestion("abc.example.org", flags: 0x8000).bytes
        var hashes: Set<UInt64> = []
        for count in 0..<whole.count {
            let part = Array(whole[..<count])
            do throws(DNSMessage.Failure) {
                _ = try DNSMessage(part, length: whole.count)
                Issue.record("\(count) bytes were read as a whole")
            } catch {
                #expect(error == .cut(isResponse: count >= 12))
                #expect(hashes.insert(DNSMessage.hash(of: part)).inserted || count <= 12)
            }
            let failure: DNSMessage.Failure =
                count < 12 ? .short : count < whole.count - 4 ? .name(.malformed) : .short
            #expect(throws: failure) { try DNSMessage(part, length: count) }
        }
    }

    @Test func `Names that contradict themselves are malformed, and no pointer is followed`() {
        let header = Array(DNSQuestion("").bytes[..<12])
        func failure(_ name: [UInt8]) -> DNSMessage.Failure? {
            let bytes = header + name + [0, 1, 0, 1]
            do throws(DNSMessage.Failure) {
                _ = try DNSMessage(bytes, length: bytes.count)
                return nil
            } catch { return error }
        }
        #expect(failure([0xC0, 12]) == .name(.pointer))
        #expect(failure([1, 0x61, 0xC0, 12]) == .name(.pointer))
        #expect(failure([0xFF, 0xFF]) == .name(.pointer))
        #expect(failure([0x40, 0]) == .name(.malformed))
        #expect(failure([63] + Array(repeating: 0x61, count: 20)) == .name(.malformed))
        let label = [63] + [UInt8](repeating: 0x61, count: 63)
        // 4 labels of 61 to 63 bytes with their lengths, and the root: 255 bytes and 256.
        let longest = label + label + label + [61] + [UInt8](repeating: 0x62, count: 61) + [0]
        #expect(longest.count == 255)
        #expect(failure(longest) == nil)
        let tooLong = label + label + label + [62] + [UInt8](repeating: 0x62, count: 62) + [0]
        #expect(failure(tooLong) == .name(.malformed))
    }

    @Test func `Without a question, or of another operation, there is nothing to read`() {
        let changes: [(Int, UInt8, DNSMessage.Failure)] = [
            (5, 0, .noQuestion), (2, 0x28, .noQuestion), (2, 0x9E, .operation), (2, 0x78, .operation),
        ]
        for (place, value, failure) in changes {
            var bytes = DNSQuestion("example.org").bytes
            bytes[place] = value
            #expect(throws: failure) { try DNSMessage(bytes, length: bytes.count) }
            #expect(failure.isForeign == (failure == .operation))
        }
    }
}

/// A message with one question.
struct DNSQuestion {
    let bytes: [UInt8]

    init(_ name: String, type: UInt16 = 1, flags: UInt16 = 0x0100) {
        var bytes: [UInt8] = [0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 0xFF), 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        self.bytes = bytes + [0, UInt8(type >> 8), UInt8(type & 0xFF), 0, 1]
    }

    /// Of what stands below the domain, and of the domain.
    func hashes(_ message: DNSMessage) -> [UInt64] {
        unsafe [message.name.hashBelow(bytes.span.bytes), message.name.hashOfDomain(bytes.span.bytes)]
    }

    func domain(_ message: DNSMessage) -> String {
        var domain: [UInt8] = []
        unsafe message.name.writeDomain(bytes.span.bytes) { domain.append($0) }
        return String(decoding: domain, as: UTF8.self)
    }
}

extension DNSMessage {
    fileprivate static func hash(of bytes: [UInt8]) -> UInt64 { unsafe hash(ofUnread: bytes.span.bytes) }

    fileprivate init(_ bytes: [UInt8], length: Int) throws(Failure) {
        try unsafe self.init(bytes.span.bytes, length: length)
    }
}
