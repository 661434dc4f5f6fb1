extension Packet {
    /// Gives a later fragment the ports that its first fragment carried.
    public mutating func inheritPorts(source: UInt16, destination: UInt16) {
        sourcePort = source
        destinationPort = destination
        hasPorts = true
    }
}
