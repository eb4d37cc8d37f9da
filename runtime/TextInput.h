// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Queries, keys and values made from a text: real input for a demonstration, without a model.
#ifndef LANDMARK_RUNTIME_TEXTINPUT_H
#define LANDMARK_RUNTIME_TEXTINPUT_H

#include "Safetensors.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace landmark {

struct TextOptions {
  int64_t blockSize = 64; ///< L: a landmark follows every L-1 bytes
  int64_t headDim = 128;  ///< D
  int64_t heads = 4;      ///< query heads, a multiple of kvHeads
  int64_t kvHeads = 2;
  DType dtype = DType::BF16;
  uint64_t seed = 1;
};

struct TextInput {
  static constexpr uint16_t landmarkToken = 256;

  HostTensor q;                 ///< [1, heads, tokens.size(), headDim]
  HostTensor k;                 ///< [1, kvHeads, tokens.size(), headDim]
  HostTensor v;                 ///< as k
  std::vector<uint16_t> tokens; ///< what stands at each position: a byte, or landmarkToken
};

/// Every head searches as an induction head does: the query of a position holds the last few bytes, the key of a
/// position the few bytes before it, so a row attends to what once followed the text that it ends on. A landmark's key
/// is the rescaled mean of its block's keys, so a gate opens where a block holds such places. The logits are meant for
/// the default scale, 1/sqrt(D).
///
/// Bytes have fixed random embeddings drawn from `seed`; q and k carry rotary positions (half layout, base 10000). The
/// result is the same on every machine up to the last bit of the library's sine. Refuses an empty text and options out
/// of range.
Expected<TextInput> textInput(std::string_view text, const TextOptions &options = {});

} // namespace landmark
#endif
