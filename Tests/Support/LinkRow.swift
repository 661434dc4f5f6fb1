import FoundationEssentials

/// One row of `ip -s -j link`.
struct LinkRow: Decodable {
    struct Statistics: Decodable {
        let rx, tx: SensorDocument.Volume
    }

    let stats64: Statistics

    static func rows(_ json: [UInt8]) throws -> [LinkRow] {
        try JSONDecoder().decode([LinkRow].self, from: Data(json))
    }
}
