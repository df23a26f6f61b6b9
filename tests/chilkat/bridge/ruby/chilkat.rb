# A stand-in for Chilkat's gem: see ../serve.py.
module Chilkat
  ASKED = File.open(ENV['CHILKAT_ASK'], 'w')
  TOLD = File.open(ENV['CHILKAT_TOLD'], 'r')
  ASKED.sync = true

  def self.ask(*parts)
    ASKED.puts(parts.join(' '))
    answer = TOLD.gets.chomp
    rest = answer[1..]
    case answer[0]
    when 'e' then raise [rest].pack('H*')
    when 'n' then nil
    when 's' then [rest].pack('H*').force_encoding('UTF-8')
    when 'i' then rest.to_i
    when 'b' then rest == '1'
    when 'o'
      number, kind = rest.split
      const_get(kind).allocate.at(number)
    end
  end

  class Base
    attr_reader :number

    def at(number)
      @number = number
      self
    end

    def initialize
      @number = Chilkat.ask('new', self.class.name.split('::').last).number
    end

    def method_missing(name, *values)
      Chilkat.ask('call', @number, name, *values.map { |value| Base.written(value) })
    end

    def respond_to_missing?(*)
      true
    end

    def self.written(value)
      case value
      when Base then "o#{value.number}"
      when Integer then "i#{value}"
      when true, false then value ? 'b1' : 'b0'
      else "s#{value.unpack1('H*')}"
      end
    end
  end

  %w[Http HttpResponse JsonObject Rest WebSocket BinData Gzip StringBuilder Crypt2 DateTime].each do |kind|
    const_set("Ck#{kind}", Class.new(Base))
  end
end
