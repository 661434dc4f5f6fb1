import Glibc

/// Captures that stand outside the project: `WEIR_TEST_DATA`, or `../shared/data` beside the checkout. Tests that need
/// them skip where they are absent.
public struct SharedCapture: Sendable {
    /// Below the data directory, for example `pcap/scan/x.pcap`.
    public let name: String
    public let path: String
    /// Frames in the file, as capinfos counted them.
    public let packets: UInt64
    /// `pcap`, `pcap-be`, `pcap-ns`, `pcap-be-ns`, `pcap-mod`, `pcapng` or `pcapng-be`.
    public let format: String
    /// The file ends inside a record.
    public let isTruncated: Bool

    /// The directory; nil when there is none.
    public static let directory: String? = {
        if let named = unsafe getenv("WEIR_TEST_DATA") { return unsafe String(cString: named) }
        let checkout = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let beside = checkout.joined(separator: "/") + "/../shared/data"
        return unsafe access(beside + "/MANIFEST.tsv", R_OK) == 0 ? beside : nil
    }()

    /// Every capture that the manifest lists; empty when there is no directory.
    public static let all: [SharedCapture] = {
        guard let directory, let file = unsafe fopen(directory + "/MANIFEST.tsv", "r") else { return [] }
        defer { unsafe fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            text += chunk.prefix(count)
        }
        let rows = String(decoding: text, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        guard let header = rows.first,
            let name = header.firstIndex(of: "file"), let packets = header.firstIndex(of: "packets_or_rows"),
            let format = header.firstIndex(of: "format"), let cut = header.firstIndex(of: "file_truncated")
        else { return [] }
        return rows.dropFirst().filter { $0.count == header.count && $0[0] == "pcap" }.map { row in
            SharedCapture(
                name: row[name],
                path: directory + "/" + row[name],
                packets: UInt64(row[packets]) ?? 0,
                format: row[format],
                isTruncated: row[cut] == "yes"
            )
        }
    }()
}
