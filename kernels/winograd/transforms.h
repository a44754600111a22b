// SPDX-License-Identifier: Apache-2.0
// The transforms of winograd.h as loops over vectors whose additions the compiler knows for every instruction set.
// Coefficients are compile-time constants, so a product is a few additions.
#pragma once

#include <cstring>

#include "kernels/isa/unroll.h"
#include "kernels/requantize/requantize_row.h"
#include "kernels/winograd/winograd.h"

namespace aq {
namespace {

template <class T, int kBytes>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kBytes)));
};

template <class V>
AQ_INLINE V LoadVector(const void* p) {
  V v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
template <class V>
AQ_INLINE void StoreVector(void* p, V v) {
  std::memcpy(p, &v, sizeof(v));
}

// kFactor * v by additions.
template <int kFactor, class V>
AQ_INLINE V Times(V v) {
  static_assert(kFactor >= 1);
  if constexpr (kFactor == 1) {
    return v;
  } else if constexpr (kFactor % 2 == 0) {
    return Times<kFactor / 2>(v + v);
  } else {
    return v + Times<kFactor - 1>(v);
  }
}

// Which matrix of a form.
struct InputMatrix {
  static AQ_INLINE constexpr int At(const WinogradForm& f, int i, int j) { return f.input[i][j]; }
};
struct WeightMatrix {
  static AQ_INLINE constexpr int At(const WinogradForm& f, int i, int j) { return f.weight[i][j]; }
};
struct OutputMatrix {
  static AQ_INLINE constexpr int At(const WinogradForm& f, int i, int j) { return f.output[i][j]; }
};

// sum_j Matrix[kRow][j] * value(j), j < kColumns. Positive terms first: every row has one.
template <class Matrix, int kForm, int kRow, int kColumns, class F>
AQ_INLINE auto Combine(F&& value) {
  constexpr const WinogradForm& kF = kWinogradForms[kForm];
  decltype(value(Index<0>())) sum = {};
  Unroll<kColumns>([&](auto j) AQ_LAMBDA {
    constexpr int kFactor = Matrix::At(kF, kRow, decltype(j)::kValue);
    if constexpr (kFactor > 0) sum += Times<kFactor>(value(j));
  });
  Unroll<kColumns>([&](auto j) AQ_LAMBDA {
    constexpr int kFactor = Matrix::At(kF, kRow, decltype(j)::kValue);
    if constexpr (kFactor < 0) sum -= Times<-kFactor>(value(j));
  });
  return sum;
}

// result(i, j) = (Matrix x Matrix^T)[i][j] of the square value(i, j): columns first, then rows.
template <class Matrix, int kForm, int kRows, int kColumns, class V, class Value, class Result>
AQ_INLINE void TransformSquare(Value&& value, Result&& result) {
  V half[kRows][kColumns];
  Unroll<kColumns>([&](auto j) AQ_LAMBDA {
    V column[kColumns];
    Unroll<kColumns>([&](auto i) AQ_LAMBDA { column[i] = value(i, j); });
    Unroll<kRows>([&](auto i) AQ_LAMBDA {
      half[i][j] = Combine<Matrix, kForm, decltype(i)::kValue, kColumns>([&](auto l) AQ_LAMBDA { return column[l]; });
    });
  });
  Unroll<kRows>([&](auto i) AQ_LAMBDA {
    Unroll<kRows>([&](auto j) AQ_LAMBDA {
      result(i, j, Combine<Matrix, kForm, decltype(j)::kValue, kColumns>([&](auto l) AQ_LAMBDA { return half[i][l]; }));
    });
  });
}

// A vector of transformed operands: bytes or int16.
template <class T, int kBytes>
struct Operands {
  using V = typename VectorOf<T, kBytes>::Type;
  static constexpr int kCount = kBytes / sizeof(T);
  template <class Byte>
  static AQ_INLINE V Widen(typename VectorOf<Byte, kCount>::Type bytes) {
    if constexpr (sizeof(T) == 1) {
      return reinterpret_cast<V>(bytes);
    } else {
      return __builtin_convertvector(bytes, V);
    }
  }
  static AQ_INLINE V LoadCodes(const uint8_t* p) {
    return Widen<uint8_t>(LoadVector<typename VectorOf<uint8_t, kCount>::Type>(p));
  }
  static AQ_INLINE V LoadZeroPoints(const int8_t* p) {
    return Widen<int8_t>(LoadVector<typename VectorOf<int8_t, kCount>::Type>(p));
  }
  // Part kPart of the values of plane kPlane: a register of codes is sizeof(T) vectors.
  template <class Isa, int kBits, int kPlane, int kPart>
  static AQ_INLINE V LoadWeights(const uint8_t* packed, typename Isa::Codebook codebook) {
    const auto codes = LoadVector<typename Isa::Codebook>(packed);  // as any register of bytes
    const auto values = Isa::template UnpackBytes<kBits, kPlane>(codes, codebook);
    return Widen<int8_t>(
        LoadVector<typename VectorOf<int8_t, kCount>::Type>(reinterpret_cast<const int8_t*>(&values) + kPart * kCount));
  }
};

template <int kForm, int kBytes, class T>
AQ_INLINE void TransformInput(const WinogradInput& in) {
  using Vector = Operands<T, kBytes>;
  using V = typename Vector::V;
  constexpr int kIn = kWinogradForms[kForm].in;
  const uint8_t* const* pixels = in.pixels;
  for (size_t w = 0; w < in.windows; ++w, pixels += kIn * kIn) {
    for (size_t c = 0; c < in.channels; c += Vector::kCount) {
      uint8_t* const to = in.values + (w * in.channels + c) * sizeof(T);
      TransformSquare<InputMatrix, kForm, kIn, kIn, V>(
          [&](auto i, auto j) AQ_LAMBDA { return Vector::LoadCodes(pixels[i * kIn + j] + c); },
          [&](auto i, auto j, V value) AQ_LAMBDA {
            constexpr int kAt = decltype(i)::kValue * kIn + decltype(j)::kValue;
            if constexpr (sizeof(T) == 1) value += in.offsets[kAt];
            StoreVector(to + kAt * in.plane, value);
          });
    }
  }
}

// Decodes what it transforms: nothing in between goes through memory.
template <class Isa, int kForm, int kBits, int kBytes, class T>
AQ_INLINE void TransformWeights(const WinogradWeights& w) {
  using Vector = Operands<T, kBytes>;
  using V = typename Vector::V;
  constexpr int kIn = kWinogradForms[kForm].in, kPlanes = 8 / kBits;
  const auto codebook = Isa::LoadCodebook(w.panel.codebook);
  const size_t step = w.panel.step_bytes, tap = w.panel.blocks * step;
  for (size_t at = 0; at < tap; at += step) {
    for (size_t i = 0; i < step; i += kBytes) {
      Unroll<kPlanes * sizeof(T)>([&](auto n) AQ_LAMBDA {
        constexpr int kPlane = decltype(n)::kValue / sizeof(T), kPart = decltype(n)::kValue % sizeof(T);
        constexpr int kFirst = kPart * Vector::kCount;
        const V zero = Vector::LoadZeroPoints(w.panel.zero_points + i + kFirst);
        uint8_t* const to = w.transformed + (kPlanes * at + kPlane * step + i + kFirst) * sizeof(T);
        TransformSquare<WeightMatrix, kForm, kIn, kWinogradTaps, V>(
            [&](auto y, auto x) AQ_LAMBDA {
              const uint8_t* const packed = w.panel.packed + at + i + (y * kWinogradTaps + x) * tap;
              return Vector::template LoadWeights<Isa, kBits, kPlane, kPart>(packed, codebook) - zero;
            },
            [&](auto y, auto x, V value) AQ_LAMBDA { StoreVector(to + (y * kIn + x) * w.plane, value); });
      });
    }
  }
}

// The epilogue of o.rows lines of sums, `row` sums apart.
template <class Isa>
AQ_INLINE void RoundLines(const WinogradOutput& o, size_t row) {
  for (size_t y = 0; y < o.rows; ++y) {
    for (int i = 0; i < o.outputs; ++i) {
      const size_t element = o.requantize[i].output_bytes();
      RequantizeRows<Isa>({.acc = o.sums + y * row,
                           .acc_stride = o.nr,
                           .rows = o.pixels,
                           .column = o.column,
                           .columns = o.columns,
                           .residual = o.residual != nullptr ? o.residual + y * o.line : nullptr,
                           .out = static_cast<uint8_t*>(o.out[i]) + y * o.line * element,
                           .stride = o.stride},
                          o.requantize[i]);
    }
  }
}

// Products -> accumulators of whole rows of pixels, then the one epilogue.
template <class Isa, int kForm, int kBytes>
AQ_INLINE void TransformOutput(const WinogradOutput& o) {
  using V = typename VectorOf<int32_t, kBytes>::Type;
  using U = typename VectorOf<uint32_t, kBytes>::Type;
  constexpr const WinogradForm& kF = kWinogradForms[kForm];
  constexpr int kIn = kF.in, kOut = kF.out, kStep = kBytes / 4;
  const size_t row = o.windows * kOut * o.nr;
  for (size_t n = 0; n < o.nr; n += kStep) {
    U bias[kOut * kOut];
    Unroll<kOut * kOut>([&](auto i) AQ_LAMBDA { bias[i] = LoadVector<U>(o.bias + i * o.bias_stride + n); });
    for (size_t w = 0; w < o.windows; ++w) {
      const int32_t* const from = o.products + w * o.nr + n;
      int32_t* const to = o.sums + w * kOut * o.nr + n;
      U half[kOut][kIn];
      Unroll<kIn>([&](auto j) AQ_LAMBDA {
        U column[kIn];
        Unroll<kIn>([&](auto i) AQ_LAMBDA { column[i] = LoadVector<U>(from + (i * kIn + j) * o.plane); });
        Unroll<kOut>([&](auto i) AQ_LAMBDA {
          half[i][j] =
              Combine<OutputMatrix, kForm, decltype(i)::kValue, kIn>([&](auto l) AQ_LAMBDA { return column[l]; });
        });
      });
      Unroll<kOut>([&](auto i) AQ_LAMBDA {
        Unroll<kOut>([&](auto j) AQ_LAMBDA {
          const U sum =
              Combine<OutputMatrix, kForm, decltype(j)::kValue, kIn>([&](auto l) AQ_LAMBDA { return half[i][l]; }) +
              bias[i * kOut + j];
          U quotient = reinterpret_cast<U>(reinterpret_cast<V>(sum) >> kF.shift);
          if constexpr (kF.inverse != 1) quotient *= kF.inverse;
          StoreVector(to + i * row + j * o.nr, quotient);
        });
      });
    }
  }
  RoundLines<Isa>(o, row);
}

}  // namespace
}  // namespace aq

// Stamp one table row (kernels.inc) as functions.
#define AQ_WINOGRAD_COMMON(isa, Struct, form, label, bytes, T)                                               \
  void winograd_input_##isa##_##label(const WinogradInput& input) { TransformInput<form, bytes, T>(input); } \
  void winograd_weights_##isa##_##label##_w2(const WinogradWeights& weights) {                               \
    TransformWeights<Struct, form, 2, bytes, T>(weights);                                                    \
  }                                                                                                          \
  void winograd_weights_##isa##_##label##_w4(const WinogradWeights& weights) {                               \
    TransformWeights<Struct, form, 4, bytes, T>(weights);                                                    \
  }                                                                                                          \
  void winograd_output_##isa##_##label(const WinogradOutput& output) { TransformOutput<Struct, form, bytes>(output); }
#define AQ_WINOGRAD(isa, Enum, Struct, form, label, bytes) AQ_WINOGRAD_COMMON(isa, Struct, form, label, bytes, uint8_t)
#define AQ_WINOGRAD_INT16(isa, Enum, Struct, form, label, bytes)               \
  static_assert(FitsInt16(kWinogradForms[form]));                              \
  AQ_WINOGRAD_COMMON(isa, Struct, form, label, bytes, int16_t)                 \
  void winograd_weights_##isa##_##label##_w8(const WinogradWeights& weights) { \
    TransformWeights<Struct, form, 8, bytes, int16_t>(weights);                \
  }
