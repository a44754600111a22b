// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, reflected, as in iSCSI and ext4). Crc32c("123456789") = 0xe3069283.
#pragma once

#include <cstdint>
#include <span>

namespace aq {

uint32_t Crc32c(std::span<const uint8_t> bytes);

}  // namespace aq
