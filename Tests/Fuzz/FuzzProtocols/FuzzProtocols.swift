import CFuzzer
import Protocols

/// The first byte of an input says what the rest is read as; where more was on the wire than is there, the second how much.
private func check(_ input: UnsafeBufferPointer<UInt8>) {
    guard input.count >= 2 else { return }
    let (choice, missing) = unsafe (input[0], Int(input[1]))
    let rest = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(input)[2...])
    switch choice % 3 {
    case 0: unsafe checkDNS(rest.bytes, length: rest.count + missing)
    case 1: unsafe checkHTTP(rest.bytes, seed: UInt64(missing))
    default: unsafe checkTLS(rest.bytes)
    }
}

private func checkDNS(_ bytes: RawSpan, length: Int) {
    guard let message = try? DNSMessage(bytes, length: length) else { return }
    let name = message.name
    precondition(name.start <= name.domain && name.domain < name.end && name.end - name.start <= DNSName.longest)
    precondition(message.questionEnd == name.end + 4 && message.questionEnd <= bytes.byteCount)
    precondition(name.labelsBelow >= 0 && name.bytesBelow >= name.labelsBelow)
    precondition(name.bytesBelow + name.labelsBelow == name.domain - name.start)
    var written = 0
    name.writeDomain(bytes) { _ in written += 1 }
    // Each label's length byte is a dot but the first's; the root has none.
    precondition(written == max(0, name.end - 1 - name.domain - 1))
    _ = name.hashBelow(bytes) ^ name.hashOfDomain(bytes)
    // What follows the question changes nothing.
    precondition((try? DNSMessage(bytes.extracting(0..<message.questionEnd), length: length)) == message)
}

private func checkHTTP(_ bytes: RawSpan, seed: UInt64) {
    var whole = HTTPRequest()
    whole.read(bytes, length: bytes.byteCount)
    // However the bytes are cut into pieces, they are read alike.
    var (pieces, start, state) = (HTTPRequest(), 0, seed)
    while start < bytes.byteCount {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let size = min(bytes.byteCount - start, 1 + Int(state >> 60))
        pieces.read(bytes.extracting(start..<start + size), length: size)
        start += size
    }
    precondition(pieces == whole)
    precondition(whole.bodyAnnounced.map { UInt64(whole.bodyReceived) <= $0 } ?? true)
    precondition(!(whole.isHeadOpen && whole.bodyReceived > 0))
}

private func checkTLS(_ bytes: RawSpan) {
    guard let hello = ClientHello(bytes) else { return }
    if let name = hello.serverName { precondition(name.lowerBound >= 43 && name.upperBound <= bytes.byteCount) }
}

@c(LLVMFuzzerTestOneInput)
func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    unsafe check(UnsafeBufferPointer(start: data, count: size))
    return 0
}

/// Where the package manager looks for the executable's entry.
@c(FuzzProtocols_main)
func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = unsafe (count, arguments)
    return unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
}
